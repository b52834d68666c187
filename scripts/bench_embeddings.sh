# The part "embeddings" of scripts/bench, which sources it: vectors beside gensim, GloVe beside
# Stanford's programs, t-SNE beside scikit-learn.
#   MAREA_BENCH_PYTHON   a Python with gensim and scikit-learn (default python3)
#   MAREA_BENCH_GLOVE    folder of Stanford's vocab_count, cooccur, shuffle and glove, as built by
#                        the Makefile that comes with them; without it their columns are -
#   MAREA_BENCH_LONG     1: GloVe on all IMDB texts too (the peer needs half an hour)
# Data of GloVe and t-SNE: MAREA_DATA, or ../shared/data; without it those tables are left out.

# gensim's number for the same file; 0 (shown as -) when MAREA_BENCH_PYTHON has no gensim.
gensim() {
  "$python" scripts/bench_embeddings_peers.py "$1" "$2" 2>/dev/null || echo 0
}

# A row of the vectors' table: what it is, its name, whether gensim has a part in it.
vectors_row() {
  local round one="" two="" peer=""
  for ((round = 0; round < rounds; round++)); do
    one+="$($marea scripts/bench_embeddings.lua "$1" 1 "$3" | cut -d' ' -f1)"$'\n'
    two+="$($marea scripts/bench_embeddings.lua "$1" 2 "$3" | cut -d' ' -f1)"$'\n'
    [ "$4" = no ] || peer+="$(gensim "$1" "$3")"$'\n'
  done
  one=$(printf %s "$one" | median) two=$(printf %s "$two" | median)
  peer=$([ "$4" = no ] && echo 0 || printf %s "$peer" | median)
  printf '%-40s %10.3f %10.3f %10s %8s %8s\n' "$2" "$one" "$two" "$(shown %.3f "$peer")" \
    "$(ratio "$peer" "$one")" "$(ratio "$peer" "$two")"
}

vectors() {
  local folder=$1
  $marea scripts/bench_embeddings.lua make 2 "$folder"
  "$python" -c 'import gensim; print("Peer: gensim", gensim.__version__)' 2>/dev/null ||
    echo "No gensim in $python"
  echo "400,000 × 100 vectors, median of $rounds processes; x = gensim over Marea"
  printf '%-40s %10s %10s %10s %8s %8s\n' '' 'marea 1' 'marea 2' gensim 'x 1' 'x 2'
  vectors_row text 'load from text, s' "$folder" yes
  vectors_row own "load from Marea's own file, ms" "$folder" no
  vectors_row one 'ten nearest words of one, ms' "$folder" yes
  vectors_row batch 'ten nearest words of 1,000, s' "$folder" yes
  $marea scripts/bench_embeddings.lua text 2 "$folder" |
    awk '{ printf "Peak memory of loading from text: %.2f times the matrix\n", $2 }'
  rm -f "$folder"/*
}

# ---- GloVe ----

# measured COMMAND…: wall seconds, CPU seconds, peak MB.
measured() {
  "$python" scripts/bench_measure.py "$@" || echo '0 0 0'
}

# The settings of Stanford's demo.sh: minimum count 5, window 15, 50 numbers, x_max 10, 15 times.
our_glove() { # corpus, threads, vectors, whether deterministic
  measured $marea glove --pipeline glove --min-count 5 --window-size 15 --vector-size 50 --x-max 10 \
    --iter 15 --threads "$2" --deterministic "$4" "$1" "$3"
}

peer_glove() { # corpus, threads, vectors without .txt, folder
  [ -n "${MAREA_BENCH_GLOVE:-}" ] || { echo '0 0 0'; return; }
  # shellcheck disable=SC2016
  measured bash -ec 'cd "$5"
    "$1/vocab_count" -min-count 5 -verbose 0 <"$2" >vocab
    "$1/cooccur" -memory 4.0 -vocab-file vocab -verbose 0 -window-size 15 <"$2" >pairs
    "$1/shuffle" -memory 4.0 -verbose 0 <pairs >shuffled
    "$1/glove" -save-file "$4" -threads "$3" -input-file shuffled -x-max 10 -iter 15 \
      -vector-size 50 -binary 0 -vocab-file vocab -verbose 0 -seed 1' \
    _ "$MAREA_BENCH_GLOVE" "$1" "$2" "$3" "$4"
}

analogies() { # vectors
  if [ -f "$1" ]; then $marea scripts/bench_embeddings.lua analogies 2 "$1"; else echo -; fi
}

glove_row() { # name, corpus, threads, folder
  local our free peer
  our=$(our_glove "$2" "$3" "$4/ours.txt" 1)
  free=$(our_glove "$2" "$3" "$4/free.txt" 0)
  peer=$(peer_glove "$2" "$3" "$4/peer" "$4")
  # shellcheck disable=SC2086
  set -- "$1" "$3" "$4" $our $free $peer
  printf '%-11s %7d %8.1f %8.1f %8.1f %8.1f %8s %8s %6s %6s %6s %6s %5d %5s  %s / %s\n' \
    "$1" "$2" "$4" "$5" "$7" "$8" "$(shown %.1f "${10}")" "$(shown %.1f "${11}")" \
    "$(ratio "$4" "${10}")" "$(ratio "$5" "${11}")" "$(ratio "$7" "${10}")" \
    "$(ratio "$8" "${11}")" "$6" "$(shown %d "${12}")" "$(analogies "$3/ours.txt")" \
    "$(analogies "$3/peer.txt")"
}

glove() {
  local folder=$1 corpus threads corpora="text8-head"
  [ "${MAREA_BENCH_LONG:-0}" = 1 ] && corpora+=" imdb"
  echo "GloVe from text to a file of vectors, seconds (all = wall, cpu = both threads' together);"
  echo "free = --deterministic 0; ratios are Marea over Stanford; analogies right in %, ours / theirs"
  printf '%-11s %7s %8s %8s %8s %8s %8s %8s %6s %6s %6s %6s %5s %5s  %s\n' corpus threads all cpu \
    'free all' cpu 'peer all' cpu 'x all' 'x cpu' 'x free' 'x cpu' MB peer analogies
  for corpus in $corpora; do
    $marea scripts/bench_embeddings.lua "$corpus" 2 "$folder" || return 0
    for threads in 1 2; do
      glove_row "$corpus" "$folder/$corpus.txt" "$threads" "$folder"
    done
    $marea scripts/bench_embeddings.lua iteration 2 "$folder/$corpus.txt"
    rm -f "$folder"/*
  done
}

# ---- t-SNE ----

peer_tsne() { # folder, threads
  "$python" scripts/bench_embeddings_peers.py tsne "$1" "$2" 2>/dev/null || echo '0 0'
}

tsne() {
  local folder=$1 threads our peer divergence
  "$python" -c 'import sklearn; print("Peer: scikit-learn", sklearn.__version__)' 2>/dev/null ||
    echo "No scikit-learn in $python"
  $marea scripts/bench_embeddings.lua points 2 "$folder" || return 0
  echo "t-SNE of 10,000 × 50 (GloVe), 1,000 iterations, perplexity 30, seconds; the peer's method is"
  echo "Barnes-Hut; both maps' exact divergence by the same function; x = the peer over Marea"
  printf '%7s %8s %8s %8s %8s %8s %8s %12s %12s\n' threads wall cpu peer cpu 'x wall' 'x cpu' \
    divergence "peer's"
  for threads in 1 2; do
    our=$($marea scripts/bench_embeddings.lua tsne "$threads" "$folder")
    peer=$(peer_tsne "$folder" "$threads")
    divergence=-
    [ ! -f "$folder/peer.txt" ] ||
      divergence=$($marea scripts/bench_embeddings.lua divergence 2 "$folder")
    # shellcheck disable=SC2086
    set -- $our $peer
    printf '%7d %8.1f %8.1f %8s %8s %8s %8s %12s %12s\n' "$threads" "$1" "$2" \
      "$(shown %.1f "$4")" "$(shown %.1f "$5")" "$(ratio "$4" "$1")" "$(ratio "$5" "$2")" "$3" \
      "$divergence"
  done
  echo "More points (those and copies with noise), 2 threads, seconds, microseconds of CPU a point:"
  for points in 10000 20000 40000 70000; do
    $marea scripts/bench_embeddings.lua "grow" 2 "$folder" $points
  done
}

embeddings() {
  local folder
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' RETURN
  vectors "$folder"
  glove "$folder"
  tsne "$folder"
}
