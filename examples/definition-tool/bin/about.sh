set -eu
cat installed
ls data
