#!/bin/sh
# One Kafka broker that is its own controller: for development and tests, not for a plant. It asks for no passwords,
# unless /etc/kafka/broker.properties says so: that file has the last word on every property.
# Its records lie in /data. BROKER_ADVERTISED is what clients beside it connect to, BROKER_OUTSIDE those that reach it
# by a forwarded port.
set -eu

{
    cat /opt/kafka/server.properties
    cat <<PROPERTIES
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
listeners=PLAINTEXT://0.0.0.0:9092,OUTSIDE://0.0.0.0:29092,CONTROLLER://127.0.0.1:9093
advertised.listeners=PLAINTEXT://${BROKER_ADVERTISED:-localhost:9092},OUTSIDE://${BROKER_OUTSIDE:-localhost:29092}
inter.broker.listener.name=PLAINTEXT
log.dirs=/data/kafka
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
PROPERTIES
    [ ! -e /etc/kafka/broker.properties ] || cat /etc/kafka/broker.properties
} >/tmp/server.properties

set -- java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
    -Dlog4j2.configurationFile=/opt/kafka/log4j2.properties -cp '/opt/kafka/jars/*'

[ -e /data/kafka/meta.properties ] \
    || "$@" kafka.tools.StorageTool format --cluster-id=bWVsdHdhdGNoLWRldi0xMg -c /tmp/server.properties
exec "$@" kafka.Kafka /tmp/server.properties
