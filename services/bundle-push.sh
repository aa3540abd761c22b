#!/bin/sh
# Push the images of this bundle to the registry of a plant: sh push.sh registry.plant.example
set -eu
registry=${1:?expected the name of a registry}
cd "$(dirname "$0")"
sha256sum --check --strict --quiet SHA256SUMS || { echo "push: expected the files that SHA256SUMS names; nothing was pushed" >&2; exit 2; }
for file in images/*.tar; do
    image=$(basename "$file" .tar) version=$(cat VERSION)
    name=$registry/meltwatch/$image:$version
    echo "push: $name ..."
    if command -v skopeo >/dev/null; then
        skopeo copy --quiet "oci-archive:$file" "docker://$name"
    elif command -v buildah >/dev/null; then
        buildah push --quiet "$(buildah pull --quiet "oci-archive:$file")" "docker://$name"
    elif command -v podman >/dev/null; then
        podman tag "$(podman load --quiet --input "$file" | sed 's/.*: //')" "$name" && podman push --quiet "$name"
    elif command -v docker >/dev/null; then
        docker tag "$(docker load --quiet --input "$file" | sed 's/.*: //')" "$name" && docker push --quiet "$name"
    else
        echo 'push: expected skopeo, buildah, podman or docker' >&2
        exit 3
    fi
done
