#!/bin/sh
# Build the images, one line each: see `images` in the Makefile, which passes the variables.
set -eu
: "${VERSION:?}" "${UV_VERSION:?}" "${REGISTRY:=localhost}" "${BASE_IMAGE:=}" "${BUILDER:=}" "${SERVICES:=}"
known='video-producer current-producer source-producer stream-processor alarm-manager notify-gateway scada-adapter console tools journal broker redis triton'

fail() { echo "images: $*" >&2; exit "${code:-1}"; }

arguments() { # of one image: its target, and which packages go into it
    case $1 in
        broker | redis | triton) echo "--target $1" ;;
        tools) echo '--target service --build-arg SERVICE=cli --build-arg EXTRAS=selftest --build-arg FEATURES=traces' ;;
        journal) echo '--target service --build-arg SERVICE=cli --build-arg EXTRAS=backtester --build-arg FEATURES=journal' ;;
        source-producer) echo '--target service --build-arg SERVICE=source-producer --build-arg PACKAGE=producers --build-arg FEATURES=live' ;;
        *-producer) echo "--target service --build-arg SERVICE=$1 --build-arg PACKAGE=producers" ;;
        *) echo "--target service --build-arg SERVICE=$1" ;;
    esac
}

[ "${1:-}" != --arguments ] || {
    for image in $known; do echo "$image $(arguments "$image")"; done
    exit 0
}

# A client without its daemon builds nothing: the first that answers is taken.
silent=''
for tool in docker podman buildah; do
    [ -z "$BUILDER" ] || break
    command -v $tool >/dev/null || continue
    if $tool info >/dev/null 2>&1; then BUILDER=$tool; else silent="${silent:+$silent and }$tool, whose service does not answer"; fi
done
case $BUILDER in
    '') code=3 fail "expected docker, podman or buildah on PATH, found ${silent:-none}; install or start one, or set BUILDER to a command that takes their build arguments" ;;
    docker | podman) BUILDER="$BUILDER build" ;;
    buildah) BUILDER='buildah bud' ;;
esac
export BUILDAH_LAYERS=true # buildah keeps no layers for the next build unless told

revision=$(git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || echo unknown)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
set -- ${SERVICES:-$known}
for image; do
    case " $known " in *" $image "*) ;; *) code=2 fail "SERVICES: expected some of $known, got '$image'" ;; esac
done
number=0
for image; do
    number=$((number + 1)) name=$REGISTRY/meltwatch/$image:$VERSION began=$(date +%s)
    echo "images: $number of $#: $name ..."
    # BUILDER is a command with arguments, and so are ours.
    # shellcheck disable=SC2046,SC2086
    $BUILDER -f services/Dockerfile -t "$name" ${BASE_IMAGE:+--build-arg BASE_IMAGE=$BASE_IMAGE} \
        --build-arg UV_VERSION="$UV_VERSION" --build-arg VERSION="$VERSION" --build-arg REVISION="$revision" \
        $(arguments "$image") . >"$log" 2>&1 || { tail -n 30 "$log" >&2; fail "$name: '$BUILDER' failed, see above"; }
    echo "images: $number of $#: $name: done in $(($(date +%s) - began)) s"
done
