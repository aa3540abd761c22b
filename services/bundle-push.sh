#!/bin/sh
# Push the images of this bundle to the registry of a plant, each under the digest that the manifests name:
# sh push.sh registry.plant.example [options of skopeo copy, such as --dest-creds]
set -eu
registry=${1:?expected the name of a registry}
shift
cd "$(dirname "$0")"
command -v skopeo >/dev/null || { echo 'push: expected skopeo on PATH: docker, podman and buildah pack images anew, under other digests' >&2; exit 3; }
sha256sum --check --strict --quiet SHA256SUMS || { echo "push: expected the files that SHA256SUMS names; nothing was pushed" >&2; exit 2; }
version=$(cat VERSION)
for image in $(sed -n 's|.*{name: meltwatch/\([a-z-]*\),.*|\1|p' images.yaml); do
    name=$registry/meltwatch/$image:$version
    echo "push: $name ..."
    skopeo copy --quiet --preserve-digests "$@" "oci:images:$image" "docker://$name"
done
