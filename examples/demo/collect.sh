#!/bin/sh
# A collector at its smallest: the first run brings the days of the past, each later one adds the next day.
# A real one would ask Docker Hub here; this one reads the answers from counts.csv, so that it works without a network.
set -eu

here=${0%/*}
data=${MAO_DATA_DIR:-/usr/src/app/data}
today=2020-03-22
found=0

{
    read -r heading
    while IFS=, read -r day count; do
        [ -e "$data/latest-images-$day.csv" ] && continue
        echo "On $day there were $count images tagged 'latest' in the Docker Hub library."
        printf '%s\n%s,%s\n' "$heading" "$day" "$count" >"$data/latest-images-$day.csv"
        # The control metric: what the orchestrator compares with the days before.
        printf '%s\n' "$count" >"$data/control-$day.csv"
        found=$((found + 1))
        # What is known of the past is taken at once; from the first day on that somebody ran this, one day a run.
        [ -e "$data/latest-images-$today.csv" ] && break
    done
} <"$here/counts.csv"

[ "$found" -gt 0 ] || echo "Nothing new: every day of counts.csv is in the data set."
