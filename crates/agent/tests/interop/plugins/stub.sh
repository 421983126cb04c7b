#!/bin/sh
# What interop/plugin/plugin.c is on Windows.
name=${0##*/}
name=${name#*_}
name=${name%%.*}

point() {
    printf '{"endpoint":"%s","metric":"%s","timestamp":0,"step":%s,"value":%s,"counterType":"GAUGE","tags":"%s"}' \
        "$FALCON_ENDPOINT" "$1" "$FALCON_STEP" "$2" "$3"
}

one() {
    printf '['
    point "$1" 1 "$2"
    printf ']\n'
}

case $name in
brief*) sleep 0.3 ;;
esac

case $name in
hang) exec sleep 1000 ;;
tree)
    # In a group of its own, with the outputs.
    setsid sleep 1000 &
    one started ''
    ;;
leave)
    sleep 1000 >/dev/null 2>&1 &
    one started ''
    ;;
flood)
    yes '                              ' | head -c 104857600
    one flood ''
    ;;
binary) printf '\001\002\000\377\376' ;;
gbk) one gbk "$(printf 'name=\326\320\316\304')" ;;
mark)
    printf '\357\273\277'
    one mark ''
    ;;
wide)
    printf '\377\376'
    one wide '' | tr -d '\n' | sed 's/./&\x00/g'
    ;;
fail)
    one fail ''
    echo 'the disk is on fire' >&2
    exit 1
    ;;
silent)
    one silent ''
    exit 1
    ;;
own)
    : >"${0%/*}/written"
    one own ''
    ;;
*)
    printf '['
    point argument 0 "by=$name"
    n=0
    for argument in "$@"; do
        n=$((n + 1))
        printf ,
        point argument $n "by=$name,text=$(printf %s "$argument" | od -An -v -tx1 | tr -d ' \n')"
    done
    printf ']\n'
    ;;
esac
