# Runs once, with the code as its folder. What it writes here is there for every run, which can only read it.
set -eu
echo "installed from commit $MAO_COMMIT" > installed
