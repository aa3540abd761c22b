#!/bin/sh
# What pods mount: an own CA, certificates, a password for each workload. Files in a folder that is yours alone, and a
# kustomization.yaml among them: `kubectl apply -k FOLDER` gives them to the cluster.
#   secrets.sh FOLDER               make what is missing
#   secrets.sh FOLDER add NAME...   the same, and logins for further workloads, such as console
#   secrets.sh FOLDER laptop        the same, and all that the laptop's own Kafka and Redis need
#   secrets.sh FOLDER passwords     new passwords; Redis takes the old ones, too
#   secrets.sh FOLDER ca            a new CA, trusted beside the old one
#   secrets.sh FOLDER certificates  new certificates
#   secrets.sh FOLDER finish        forget old passwords and the old CA
# docs/kubernetes.md#rotation has the steps around it.
set -eu
umask 077
DAYS_OF_CA=3650 DAYS=730

fail() { echo "secrets: $*" >&2; exit 2; }

command -v openssl >/dev/null || fail 'expected openssl 1.1.1 or newer on PATH, found none'
[ $# -ge 1 ] || fail "expected a folder, got nothing; see the head of $0"
folder=$1 verb=${2:-missing}
case $verb in
    missing | add | laptop | passwords | ca | certificates | finish) ;;
    *) fail "expected add, laptop, passwords, ca, certificates, finish or nothing, got $verb" ;;
esac
mkdir -p "$folder/others"
cd "$folder"

new_ca() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days $DAYS_OF_CA -keyout ca.key -out ca.crt \
        -subj "/CN=Meltwatch CA $(openssl rand -hex 4)" -addext basicConstraints=critical,CA:TRUE \
        -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null || fail 'openssl made no CA'
}

certificate() { # NAME SUBJECT_ALTERNATIVE_NAMES
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" \
        2>/dev/null || fail "openssl made no key for $1"
    printf '%s\n' "subjectAltName=$2" basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
        extendedKeyUsage=serverAuth authorityKeyIdentifier=keyid >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -days $DAYS -extfile "$1.ext" -out "$1.crt" \
        2>/dev/null || fail "openssl made no certificate for $1"
    cat "$1.key" "$1.crt" >"$1.pem"
    rm "$1.csr" "$1.ext"
}

certificates() {
    certificate triton DNS:triton-0.triton,DNS:triton-1.triton,DNS:triton-2.triton,DNS:triton-3.triton,DNS:triton-candidate,DNS:localhost,IP:127.0.0.1
    [ ! -e laptop ] || for server in kafka redis; do certificate $server DNS:$server,DNS:localhost,IP:127.0.0.1; done
}

password() { # NAME KIND
    mkdir -p "logins/$1"
    [ ! -e "logins/$1/$2" ] || mv "logins/$1/$2" "logins/$1/.old-$2"
    openssl rand -hex 24 >"logins/$1/$2"
}

login() { # NAME: a password of Kafka, and one of Redis for those who ask it
    password "$1" kafka-password
    case $1 in alarm-manager | selftest) password "$1" redis-password ;; esac
}

redis_user() { # NAME USER RULES...: its passwords as hashes
    workload=$1 user=$2
    shift 2
    hashes=''
    for file in "logins/$workload/redis-password" "logins/$workload/.old-redis-password"; do
        [ ! -e "$file" ] || hashes="$hashes #$(tr -d '\n' <"$file" | openssl dgst -sha256 | sed 's/.* //')"
    done
    echo "user $user on$hashes $*"
}

redis_users() { # the rights that `meltwatch topics acls` prints
    echo 'user default off'
    redis_user alarm-manager alarm_manager '~meltwatch:*' '&meltwatch:changes' +evalsha '+script|exists' '+script|load' \
        +exists +scan +del +hget +hset +hmget +zadd +zrem +sadd +srem +xadd +publish
    redis_user selftest selftest '%R~meltwatch:*' +hget
}

secret() { # NAME TYPE KEY=FILE...
    echo "  - name: $1"
    echo "    type: $2"
    shift 2
    echo '    files:'
    for file; do echo "      - $file"; done
}

kustomization() {
    echo 'apiVersion: kustomize.config.k8s.io/v1beta1'
    echo 'kind: Kustomization'
    echo 'namespace: meltwatch'
    echo 'generatorOptions: {disableNameSuffixHash: true}'
    echo 'configMapGenerator:'
    echo '  - name: plant-ca'
    echo '    files: [ca.crt=trusted.crt]'
    echo 'secretGenerator:'
    secret triton-tls kubernetes.io/tls tls.crt=triton.crt tls.key=triton.key
    if [ -e laptop ]; then
        secret redis-tls kubernetes.io/tls tls.crt=redis.crt tls.key=redis.key
        secret redis-users Opaque users.acl
        secret kafka-tls Opaque tls-combined.pem=kafka.pem
    fi
    for workload in logins/*; do
        secret "${workload#logins/}-login" Opaque "$workload"/*-password
    done
}

add() { # NAMES: logins, where there are none
    for workload; do
        case $workload in *[!a-z-]* | '') fail "expected the name of a workload, such as console, got '$workload'" ;; esac
        [ -e "logins/$workload" ] || login "$workload"
    done
}

case $verb in
    add) shift 2 && add "$@" ;;
    laptop)
        [ -e laptop ] || { touch laptop && rm -f triton.crt; }
        add video-producer current-producer
        ;;
    passwords)
        [ -z "$(ls logins/*/.old-* 2>/dev/null)" ] || fail 'expected one password each, there are two: roll them out, then finish'
        for workload in logins/*; do login "${workload#logins/}"; done
        ;;
    ca)
        [ ! -e old-ca.crt ] || fail 'expected one CA, there are two: make certificates of the new one, then finish'
        mv ca.crt old-ca.crt
        new_ca
        ;;
    certificates) certificates ;;
    finish)
        openssl verify -CAfile ca.crt triton.crt >/dev/null 2>&1 || fail 'expected certificates of the new CA: make them, then finish'
        rm -f old-ca.crt logins/*/.old-*
        ;;
esac
[ -e ca.crt ] || new_ca
[ -e triton.crt ] || certificates
add topics stream-processor alarm-manager scada-adapter selftest
# CAs of others, such as that of the plant's own Kafka, may stand in others/.
cat ca.crt $(ls old-ca.crt others/*.crt 2>/dev/null || true) >trusted.crt
redis_users >users.acl
kustomization >kustomization.yaml
