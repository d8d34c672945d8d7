"""Which ports may be called: those of the web, and high ones that are no other service's."""

_FIRST_UNPRIVILEGED = 1024
_WEB = frozenset((80, 443))

_OTHER_SERVICES = frozenset(
    (
        *(1080, 1433, 1434, 1521, 1719, 1720, 1723),  # SOCKS, SQL Server, Oracle, H.323, PPTP
        *(1883, 8883),  # MQTT
        *(2049, 2181, 2375, 2376, 2377, 2379, 2380),  # NFS, ZooKeeper, Docker, etcd
        *(3128, 3306, 3389, 3659),  # Squid, MySQL, RDP, SASL
        *(4045, 4190, 4222, 4369),  # lockd, Sieve, NATS, Erlang's port mapper
        *(5060, 5061, 5432, 5433, 5671, 5672, 5900, 5901, 5984, 5985, 5986),  # SIP, PostgreSQL, AMQP, VNC, …
        *(6000, 6379, 6380, 6432, 6443, 6566, *range(6660, 6670), 6697),  # X11, Redis, Kubernetes, IRC
        *(7000, 7001, 7199, 8300, 8301, 8302, 8500, 8600),  # Cassandra, Consul
        *(9042, 9092, 9100, 9160, 9200, 9300),  # Cassandra, Kafka, printers and exporters, Elasticsearch
        *(10080, 10250, 10255, 11211, 15672, 16379, 25672, 26379),  # Amanda, kubelet, memcached, RabbitMQ, …
        *(27017, 27018, 27019, 28015, 50070, 61616),  # MongoDB, RethinkDB, HDFS, ActiveMQ
    )
)


def is_web_port(port: int) -> bool:
    """Tell whether a web server of a stranger may be expected there."""
    return port in _WEB or (_FIRST_UNPRIVILEGED <= port <= 65535 and port not in _OTHER_SERVICES)
