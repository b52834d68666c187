# The Debian packages Marea needs, and how to get the missing ones. Sourced by the other scripts.
#
#   build:  gcc libc6-dev cmake ninja-build pkg-config
#   core:   libopenblas-dev (matrix products, eigenvectors), libutf8proc-dev (Unicode),
#           libjansson-dev (JSON), zlib1g-dev (gzip)
#   Lua:    liblua5.4-dev (the language), libedit-dev (line editing in the REPL)
#   corpora: curl (scripts/corpus fetches with it), unzip (archives of some sets)
#   plots:  gnuplot-nox (pictures as PNG and SVG; optional, asked for by name when it is missing)
#   tests:  lua-busted (specs), lua-check (lint), clang-format-14 (format), unicode-data and bzip2
#           (Unicode's own tests; without them a few specs are pending), gnuplot-nox
#   fuzz:   clang-14 with libFuzzer and the sanitizers, only for scripts/test --fuzz
BUILD_PACKAGES="gcc libc6-dev cmake ninja-build pkg-config libopenblas-dev \
libutf8proc-dev libjansson-dev zlib1g-dev liblua5.4-dev libedit-dev"
TEST_PACKAGES="lua5.4 lua-busted lua-check clang-format-14 unicode-data bzip2 gnuplot-nox"
FUZZ_PACKAGES="clang-14 libclang-rt-14-dev llvm-14"

# installed PACKAGE: true when dpkg knows it as installed.
installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# as_root COMMAND…: runs it as root, through sudo when needed.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "Please install as root: $*" >&2
    return 1
  fi
}

# need PACKAGES…: installs those that are missing, and says which.
need() {
  local missing="" package
  for package in "$@"; do
    installed "$package" || missing="$missing $package"
  done
  [ -z "$missing" ] && return 0
  if ! command -v apt-get >/dev/null; then
    echo "This is no Debian or Ubuntu machine. Please install what corresponds to:$missing" >&2
    return 1
  fi
  echo "Installing:$missing"
  as_root apt-get update -qq
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    $missing >/dev/null
}
