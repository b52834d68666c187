"""The peers' side of `scripts/bench text`: one measurement in MB/s, printed as a number.

Usage: bench_text_peers.py WHAT FILE     WHAT: sklearn, matrix, words, bpe (as in scripts/bench_text.lua)
Threads: RAYON_NUM_THREADS and TOKENIZERS_PARALLELISM, as the peers read them.
"""
import os
import sys
import time

what, path = sys.argv[1], sys.argv[2]
texts = open(path, encoding="utf-8", newline="\n").read().split("\n")[:-1]
size = sum(len(text.encode()) for text in texts)

if what in ("sklearn", "matrix"):
    from sklearn.feature_extraction.text import CountVectorizer

    def job():
        if what == "sklearn":
            CountVectorizer().fit(texts)
        else:
            CountVectorizer().fit_transform(texts)

else:
    import tokenizers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    if what == "words":
        tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
        tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.train_from_iterator(
            texts, trainers.WordLevelTrainer(vocab_size=30000, special_tokens=["<pad>", "<unk>"])
        )
    else:
        tokenizer = Tokenizer.from_file(os.environ["MAREA_BENCH_BPE"])
    # Newer versions have a form of encode_batch without offsets, which is quicker: the fair peer.
    encode = getattr(tokenizer, "encode_batch_fast", tokenizer.encode_batch)

    def job():
        encode(texts, add_special_tokens=False)


rates = []
for _ in range(3):
    start = time.perf_counter()
    job()
    rates.append(size / (time.perf_counter() - start) / 1e6)
print(f"{sorted(rates)[1]:.1f}")
