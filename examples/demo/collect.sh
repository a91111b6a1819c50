#!/bin/sh
# A collector at its smallest: each run adds the figure of the next day to the data set.
# A real one would ask Docker Hub here; this one reads the answer from counts.csv, so that it works without a network.
set -eu

here=${0%/*}
data=${MAO_DATA_DIR:-/usr/src/app/data}

{
    read -r heading
    while IFS=, read -r day count; do
        [ -e "$data/latest-images-$day.csv" ] && continue
        echo "Collecting the number of images tagged 'latest' in the Docker Hub library on $day."
        printf '%s\n%s,%s\n' "$heading" "$day" "$count" >"$data/latest-images-$day.csv"
        # The control metric: what the orchestrator compares with the days before.
        printf '%s\n' "$count" >"$data/control-$day.csv"
        echo "Found $count images."
        exit 0
    done
} <"$here/counts.csv"
echo "Nothing new: every day of counts.csv is in the data set."
