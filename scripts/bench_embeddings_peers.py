"""gensim's side of `scripts/bench embeddings`: the same measurement on the same file.
Usage: python3 scripts/bench_embeddings_peers.py WHAT FOLDER   (WHAT: text, one, batch)
"""
import os
import sys
import time

from gensim.models import KeyedVectors

what, folder = sys.argv[1:3]
text, own = folder + "/vectors.txt", folder + "/gensim.kv"

if what == "text":
    start = time.perf_counter()
    vectors = KeyedVectors.load_word2vec_format(text, binary=False)
    print(f"{time.perf_counter() - start:.3f}")
    vectors.save(own)
    sys.exit()

if not os.path.exists(own):
    KeyedVectors.load_word2vec_format(text, binary=False).save(own)
vectors = KeyedVectors.load(own)
vectors.fill_norms()
vectors.most_similar("w1")
count = 100 if what == "one" else 1000
start = time.perf_counter()
for i in range(1, count + 1):
    vectors.most_similar(f"w{i * 37}")
seconds = time.perf_counter() - start
print(f"{seconds * 10:.3f}" if what == "one" else f"{seconds:.3f}")
