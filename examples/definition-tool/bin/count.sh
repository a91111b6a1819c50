# Called as: sh bin/count.sh LIMIT
set -eu
case $1 in
'' | *[!0-9]*)
    echo "The limit must be a whole number, not '$1'." >&2
    exit 2
    ;;
esac
found=0
number=2
while [ "$number" -le "$1" ]; do
    divisor=2
    while [ $((divisor * divisor)) -le "$number" ] && [ $((number % divisor)) -ne 0 ]; do
        divisor=$((divisor + 1))
    done
    [ $((divisor * divisor)) -le "$number" ] || found=$((found + 1))
    number=$((number + 1))
done
echo "$found" > "data/control-$MAO_DATE-run-$MAO_RUN_ID.csv"
echo "There are $found primes up to $1."
