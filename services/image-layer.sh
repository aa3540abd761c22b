#!/bin/sh
# image-layer.sh FOLDER COMMAND…: run a command and copy the files that it adds under /opt/meltwatch to FOLDER, from
# where an image takes them as a layer of its own. The Dockerfile uses it.
set -eu
folder=$1
shift
files() { (cd / && find opt/meltwatch ! -type d | sort); }
files >/tmp/before
"$@"
mkdir "$folder"
files | comm -13 /tmp/before - | tar -c -C / -T - | tar -x -C "$folder"
