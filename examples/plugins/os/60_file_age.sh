#!/bin/sh
# Age and size of files: whether last night's backup is there, whether a log still grows.
#
# To bind:  os/60_file_age.sh(/var/backups/db.dump,/var/log/app.log)
#
#   file.exists  GAUGE  path=PATH  1, or 0; none where nobody may look
#   file.age     GAUGE  path=PATH  seconds since it was last changed
#   file.size    GAUGE  path=PATH  bytes

if [ $# -eq 0 ]; then
    echo "no file is named: bind it as os/60_file_age.sh(/path/of/a/file)" >&2
    exit 1
fi

# The agent says who this host is and how often this runs; by hand neither is there.
endpoint=${FALCON_ENDPOINT:-$(hostname)}
step=${FALCON_STEP:-60}
now=$(date +%s)
comma=
failed=0

point() {
    printf '%s{"endpoint":"%s","metric":"%s","timestamp":%s,"step":%s,"value":%s,"counterType":"GAUGE","tags":"path=%s"}' \
        "$comma" "$endpoint" "$1" "$now" "$step" "$2" "$tag"
    comma=,
}

printf '['
for path in "$@"; do
    # What would end a tag or a text of JSON stands for itself no longer.
    tag=$(printf '%s' "$path" | tr ',="\\\000-\037' '_')
    if found=$(LC_ALL=C stat -L -c '%Y %s' -- "$path" 2>&1); then
        point file.exists 1
        point file.age $((now - ${found% *}))
        point file.size "${found#* }"
        continue
    fi
    case $found in
    *': No such file or directory') point file.exists 0 ;;
    *)
        # Whether it is there is not known: what is said here is shown in /plugins, and the points of the others are sent all the same.
        printf '%s\n' "$found" >&2
        failed=1
        ;;
    esac
done
printf ']\n'
exit $failed
