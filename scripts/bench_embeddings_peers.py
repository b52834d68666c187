"""gensim's and scikit-learn's sides of `scripts/bench embeddings`: the same on the same files.
Usage: python3 scripts/bench_embeddings_peers.py text|one|batch FOLDER
       python3 scripts/bench_embeddings_peers.py tsne FOLDER THREADS
"""
import os
import sys
import time

what, folder = sys.argv[1:3]

if what == "tsne":
    threads = sys.argv[3]
    os.environ.update(OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads)
    import numpy
    from sklearn.manifold import TSNE
    points = numpy.loadtxt(folder + "/points.txt", dtype=numpy.float32)
    wall, cpu = time.perf_counter(), time.process_time()
    # its defaults, named: Barnes-Hut, angle 0.5, 1,000 iterations, rate N / 12 / 4, start by PCA
    map_ = TSNE(perplexity=30, random_state=1, n_jobs=int(threads)).fit_transform(points)
    print(f"{time.perf_counter() - wall:.2f} {time.process_time() - cpu:.2f}")
    numpy.savetxt(folder + "/peer.txt", map_, fmt="%.7g")
    sys.exit()

from gensim.models import KeyedVectors

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
