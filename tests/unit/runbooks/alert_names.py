"""Alert names of usual rules, with the labels that they come with, and the runbook to which each leads.

The names are those of kube-prometheus-stack (the kubernetes, node-exporter, Prometheus, Alertmanager, etcd and CoreDNS
mixins), of exporters' own rules, of awesome-prometheus-alerts, cert-manager, Argo CD, Loki, Velero and others.
`service`, `pod`, `job`, `instance`, `endpoint` and often `namespace` are those of the exporter that was scraped.
"""

from __future__ import annotations

GENERAL = "ops.general.first-response"

# What a scrape adds to all alerts that come from it.
KSM = {
    "job": "kube-state-metrics",
    "service": "kps-kube-state-metrics",
    "container": "kube-state-metrics",
    "endpoint": "http",
    "instance": "10.42.1.207:8080",
    "pod": "kps-kube-state-metrics-7f9c6b7d5-x2x9q",
    "prometheus": "monitoring/kps-prometheus",
    "namespace": "shop",
}
NODE = {
    "job": "node-exporter",
    "service": "kps-prometheus-node-exporter",
    "container": "node-exporter",
    "endpoint": "http-metrics",
    "instance": "10.0.3.17:9100",
    "pod": "kps-prometheus-node-exporter-8d2fk",
    "namespace": "monitoring",
}
KUBELET = {
    "job": "kubelet",
    "service": "kps-kubelet",
    "endpoint": "https-metrics",
    "instance": "10.0.3.17:10250",
    "metrics_path": "/metrics",
    "namespace": "kube-system",
    "node": "worker-3",
}
APISERVER = {
    "job": "apiserver",
    "service": "kubernetes",
    "endpoint": "https",
    "instance": "10.0.0.2:6443",
    "namespace": "default",
}
ETCD = {"job": "kube-etcd", "service": "kps-kube-etcd", "endpoint": "http-metrics", "namespace": "kube-system"}
COREDNS = {
    "job": "coredns",
    "service": "kps-coredns",
    "pod": "coredns-5d78c9869d-4k2lz",
    "endpoint": "http-metrics",
    "namespace": "kube-system",
}
PROMETHEUS = {
    "job": "kps-prometheus",
    "service": "kps-prometheus",
    "pod": "prometheus-kps-prometheus-0",
    "container": "prometheus",
    "endpoint": "http-web",
    "namespace": "monitoring",
}
ALERTMANAGER = PROMETHEUS | {
    "job": "kps-alertmanager",
    "service": "kps-alertmanager",
    "pod": "alertmanager-kps-alertmanager-0",
    "container": "alertmanager",
}
LOKI = {"job": "loki/ingester", "cluster": "prod", "namespace": "loki", "route": "loki_api_v1_push"}
BLACKBOX = {"job": "blackbox", "service": "prometheus-blackbox-exporter", "instance": "https://shop.example.com"}
POSTGRES = {
    "job": "postgres-exporter",
    "service": "db-postgres-exporter-metrics",
    "pod": "db-postgres-exporter-0",
    "instance": "db:5432",
    "server": "db:5432",
    "namespace": "shop",
}
REDIS = {
    "job": "redis-exporter",
    "service": "cache-redis-metrics",
    "pod": "cache-redis-master-0",
    "instance": "redis://cache:6379",
    "namespace": "shop",
}
KAFKA = {"job": "kafka-exporter", "service": "kafka-exporter", "topic": "orders", "consumergroup": "billing"}
MYSQL = {"job": "mysqld-exporter", "service": "mysqld-exporter", "instance": "mysql-0:9104", "namespace": "shop"}
ELASTIC = {"job": "elasticsearch-exporter", "service": "es-exporter-metrics", "cluster": "logs", "namespace": "logging"}
RABBIT = {"job": "rabbitmq", "service": "rabbitmq", "pod": "rabbitmq-1", "queue": "orders", "namespace": "shop"}
NGINX = {
    "job": "ingress-nginx-controller-metrics",
    "service": "ingress-nginx-controller-metrics",
    "exported_service": "checkout",
    "exported_namespace": "shop",
    "ingress": "checkout",
    "namespace": "ingress-nginx",
}
CERT = {
    "job": "cert-manager",
    "service": "cert-manager",
    "exported_namespace": "shop",
    "name": "shop-tls",
    "namespace": "cert-manager",
}
ARGO = {
    "job": "argocd-metrics",
    "service": "argocd-metrics",
    "name": "checkout",
    "project": "shop",
    "namespace": "argocd",
}
VELERO = {"job": "velero", "service": "velero", "schedule": "daily", "namespace": "velero"}
GRAFANA = {"grafana_folder": "Shop", "ref_id": "A", "datasource_uid": "prometheus"}
BARE: dict[str, str] = {}

_TABLE: tuple[tuple[dict[str, str], str, str], ...] = (
    # kubernetes-mixin: workloads
    (
        KSM | {"exported_pod": "checkout-6d5", "severity": "warning"},
        "ops.service.pod-down",
        "KubePodCrashLooping KubePodNotReady KubeContainerWaiting KubePdbNotEnoughHealthyPods",
    ),
    (KSM | {"deployment": "checkout"}, "ops.service.pod-down", "KubeDeploymentReplicasMismatch"),
    (KSM | {"statefulset": "postgres"}, "ops.service.pod-down", "KubeStatefulSetReplicasMismatch"),
    (KSM | {"daemonset": "logs"}, "ops.service.pod-down", "KubeDaemonSetNotScheduled KubeDaemonSetMisScheduled"),
    (
        KSM | {"deployment": "checkout"},
        "ops.release.rolling-update",
        """KubeDeploymentRolloutStuck KubeDeploymentGenerationMismatch KubeStatefulSetUpdateNotRolledOut
        KubeStatefulSetGenerationMismatch KubeDaemonSetRolloutStuck""",
    ),
    (
        KSM | {"horizontalpodautoscaler": "checkout"},
        "ops.service.scaling",
        "KubeHpaMaxedOut KubeHpaReplicasMismatch",
    ),
    (KSM | {"job_name": "report-28394"}, GENERAL, "KubeJobFailed KubeJobNotCompleted"),
    # kubernetes-mixin: resources and storage
    (KSM | {"container": "checkout"}, "ops.service.resources", "CPUThrottlingHigh"),
    (
        KSM | {"resource": "requests.cpu"},
        "ops.service.resources",
        "KubeCPUQuotaOvercommit KubeMemoryQuotaOvercommit KubeQuotaAlmostFull KubeQuotaFullyUsed KubeQuotaExceeded",
    ),
    (KSM, "ops.cluster.node", "KubeCPUOvercommit KubeMemoryOvercommit"),
    (
        KUBELET | {"namespace": "shop", "persistentvolumeclaim": "data-db-0"},
        "ops.storage.disk",
        "KubePersistentVolumeFillingUp KubePersistentVolumeInodesFillingUp KubePersistentVolumeErrors",
    ),
    # kubernetes-mixin: nodes
    (
        KSM | {"node": "worker-3"},
        "ops.cluster.node",
        "KubeNodeNotReady KubeNodeUnreachable KubeNodeReadinessFlapping KubeNodeEviction KubeNodePressure",
    ),
    (
        KUBELET,
        "ops.cluster.node",
        "KubeletDown KubeletTooManyPods KubeletPlegDurationHigh KubeletPodStartUpLatencyHigh",
    ),
    (
        KUBELET,
        "ops.certificates.expiry",
        """KubeletClientCertificateExpiration KubeletServerCertificateExpiration
        KubeletClientCertificateRenewalErrors KubeletServerCertificateRenewalErrors""",
    ),
    # kubernetes-mixin: the control plane
    (
        APISERVER,
        "ops.cluster.control-plane",
        """KubeAPIDown KubeAPIErrorBudgetBurn KubeAPITerminatedRequests KubeAggregatedAPIErrors KubeAggregatedAPIDown
        KubeClientErrors KubeVersionMismatch KubeSchedulerDown KubeControllerManagerDown KubeProxyDown""",
    ),
    (APISERVER, "ops.certificates.expiry", "KubeClientCertificateExpiration"),
    (
        ETCD,
        "ops.cluster.control-plane",
        """etcdMembersDown etcdInsufficientMembers etcdNoLeader etcdHighNumberOfLeaderChanges
        etcdHighNumberOfFailedGRPCRequests etcdGRPCRequestsSlow etcdMemberCommunicationSlow
        etcdHighNumberOfFailedProposals etcdHighFsyncDurations etcdHighCommitDurations
        etcdDatabaseQuotaLowSpace etcdExcessiveDatabaseGrowth etcdDatabaseHighFragmentationRatio""",
    ),
    (
        COREDNS,
        "ops.cluster.dns",
        """CoreDNSDown CoreDNSLatencyHigh CoreDNSErrorsHigh CoreDNSForwardLatencyHigh CoreDNSForwardErrorsHigh
        CoreDNSForwardHealthcheckFailureCount CoreDNSForwardHealthcheckBrokenCount""",
    ),
    # node-exporter mixin
    (
        NODE | {"device": "/dev/sda1", "mountpoint": "/", "fstype": "ext4"},
        "ops.storage.disk",
        """NodeFilesystemSpaceFillingUp NodeFilesystemAlmostOutOfSpace NodeFilesystemFilesFillingUp
        NodeFilesystemAlmostOutOfFiles NodeDiskIOSaturation NodeRAIDDegraded NodeRAIDDiskFailure""",
    ),
    (
        NODE,
        "ops.cluster.node",
        """NodeNetworkReceiveErrs NodeNetworkTransmitErrs NodeHighNumberConntrackEntriesUsed NodeClockSkewDetected
        NodeClockNotSynchronising NodeTextFileCollectorScrapeError NodeFileDescriptorLimit NodeSystemdServiceFailed
        NodeSystemdServiceCrashlooping NodeBondingDegraded NodeMemoryHighUtilization NodeMemoryMajorPagesFaults
        NodeCPUHighUsage NodeSystemSaturation""",
    ),
    # Prometheus, Alertmanager, kube-state-metrics, their operator
    (
        PROMETHEUS,
        "ops.monitoring.pipeline",
        """PrometheusBadConfig PrometheusSDRefreshFailure PrometheusKubernetesListWatchFailures
        PrometheusNotificationQueueRunningFull PrometheusErrorSendingAlertsToSomeAlertmanagers
        PrometheusNotConnectedToAlertmanagers PrometheusTSDBReloadsFailing PrometheusTSDBCompactionsFailing
        PrometheusNotIngestingSamples PrometheusDuplicateTimestamps PrometheusOutOfOrderTimestamps
        PrometheusRemoteStorageFailures PrometheusRemoteWriteBehind PrometheusRuleFailures
        PrometheusMissingRuleEvaluations PrometheusTargetLimitHit PrometheusLabelLimitHit PrometheusHighQueryLoad
        PrometheusOperatorSyncFailed PrometheusOperatorReconcileErrors PrometheusOperatorRejectedResources
        ConfigReloaderSidecarErrors""",
    ),
    (
        ALERTMANAGER,
        "ops.monitoring.pipeline",
        """AlertmanagerFailedReload AlertmanagerMembersInconsistent AlertmanagerFailedToSendAlerts
        AlertmanagerClusterFailedToSendAlerts AlertmanagerConfigInconsistent AlertmanagerClusterDown
        AlertmanagerClusterCrashlooping""",
    ),
    ({"job": "checkout", "namespace": "shop", "service": "checkout"}, "ops.monitoring.pipeline", "TargetDown"),
    (NODE, "ops.monitoring.pipeline", "InstanceDown"),
    (KSM, "ops.monitoring.pipeline", "KubeStateMetricsListErrors KubeStateMetricsWatchErrors"),
    (
        LOKI,
        "ops.monitoring.pipeline",
        "LokiRequestErrors LokiRequestPanics LokiRequestLatency LokiTooManyCompactorsRunning PromtailRequestErrors",
    ),
    (
        PROMETHEUS,
        "ops.monitoring.pipeline",
        "ThanosQueryHttpRequestQueryErrorRateHigh ThanosCompactHalted MimirIngesterUnhealthy VmalertRemoteWriteErrors",
    ),
    (GRAFANA | {"rulename": "High error rate"}, "ops.monitoring.pipeline", "DatasourceError DatasourceNoData"),
    (PROMETHEUS, GENERAL, "Watchdog InfoInhibitor"),
    # PostgreSQL
    (
        POSTGRES,
        "ops.database.connections",
        """PostgresqlDown PostgreSQLDown PostgresDown PostgresqlRestarted PostgresqlExporterError
        PostgresqlTooManyConnections PostgreSQLMaxConnectionsReached PostgreSQLHighConnections
        PostgresqlReplicationLag PgbouncerActiveConnections PgbouncerMaxConnections CNPGClusterOffline
        CNPGClusterHighConnectionsCritical PatroniHasNoLeader""",
    ),
    (
        POSTGRES | {"datname": "orders"},
        "ops.database.latency",
        """PostgreSQLSlowQueries PostgresqlSlowQueries PostgreSQLCacheHitRatio PostgresqlDeadLocks
        PostgresqlHighRollbackRate PostgresqlTooManyLocksAcquired""",
    ),
    (
        POSTGRES | {"relname": "usage_hourly"},
        "ops.database.maintenance",
        """PostgresqlTableNotAutoVacuumed PostgresqlTableNotAutoAnalyzed PostgresqlBloatIndexHigh
        PostgresqlBloatTableHigh PostgresqlInvalidIndex PostgresqlUnusedReplicationSlot""",
    ),
    (POSTGRES, "ops.recovery.postgres", "PostgresBackupFailed CNPGClusterBackupFailed PostgresqlWalArchivingFailing"),
    # Redis
    (
        REDIS,
        "ops.redis.down",
        """RedisDown RedisMissingMaster RedisTooManyMasters RedisDisconnectedSlaves RedisReplicationBroken
        RedisClusterFlapping RedisOutOfMemory RedisOutOfSystemMemory RedisTooManyConnections
        RedisRejectedConnections RedisMemoryHigh""",
    ),
    (REDIS, "ops.recovery.redis", "RedisMissingBackup"),
    # Kafka
    (
        KAFKA,
        "ops.kafka.lag",
        """KafkaLagHigh KafkaConsumersGroup KafkaConsumerGroupLag KafkaTopicsReplicas KafkaUnderReplicatedPartitions
        KafkaOfflinePartitions KafkaBrokerDown StrimziKafkaNotReady ConsumerLagHigh""",
    ),
    # Other stores
    (
        MYSQL,
        "ops.datastore.down",
        """MysqlDown MysqlTooManyConnections MysqlHighThreadsRunning MysqlSlaveIoThreadNotRunning MysqlReplicationLag
        MysqlSlowQueries MysqlRestarted GaleraClusterSizeMismatch""",
    ),
    (
        ELASTIC,
        "ops.datastore.down",
        """ElasticsearchClusterRed ElasticsearchClusterYellow ElasticsearchHealthyNodes ElasticsearchHeapUsageTooHigh
        ElasticsearchDiskOutOfSpace ElasticsearchUnassignedShards""",
    ),
    (
        RABBIT,
        "ops.datastore.down",
        """RabbitmqNodeDown RabbitmqClusterPartition RabbitmqMemoryHigh RabbitmqFileDescriptorsUsage
        RabbitmqTooManyConnections""",
    ),
    (
        RABBIT,
        "ops.queue.backlog",
        """RabbitmqTooManyMessagesInQueue RabbitmqTooManyUnackMessages RabbitmqNoQueueConsumer
        RabbitmqDeadLetterQueueFillingUp SqsQueueBacklog OrdersDlqNotEmpty""",
    ),
    (BARE, "ops.datastore.down", "MongodbDown MongodbReplicationLag CassandraNodeIsDown ZookeeperDown MemcachedDown"),
    # Probes, ingress, certificates
    (
        BLACKBOX,
        "ops.platform.health",
        "BlackboxProbeFailed BlackboxProbeHttpFailure ProbeFailed EndpointDown WebsiteDown",
    ),
    (BLACKBOX, "ops.service.latency", "BlackboxProbeSlowHttp BlackboxSlowProbe"),
    (
        BLACKBOX,
        "ops.certificates.expiry",
        """BlackboxSslCertificateWillExpireSoon BlackboxSslCertificateExpired SSLCertExpiringSoon
        TLSCertificateExpiresIn7Days x509CertificateExpiration""",
    ),
    (
        CERT,
        "ops.certificates.expiry",
        "CertManagerCertExpirySoon CertManagerCertNotReady CertManagerHittingRateLimits CertManagerAbsent",
    ),
    (
        NGINX,
        "ops.api.error-rate",
        """NginxHighHttp5xxErrorRate NginxHighHttp4xxErrorRate NGINXTooMany500s NGINXTooMany400s
        TraefikHighHttp5xxErrorRateService IstioHigh5xxErrorRate ErrorBudgetBurn CheckoutErrorBudgetBurn""",
    ),
    (NGINX, "ops.service.latency", "NginxLatencyHigh IstioHighRequestLatency CheckoutLatencyHigh SlowResponseTime"),
    # Delivery
    (
        ARGO,
        "ops.release.rollback",
        """ArgocdServiceNotSynced ArgocdServiceUnhealthy ArgoCdAppOutOfSync ArgoCdAppUnhealthy ArgoCdAppSyncFailed
        FluxReconciliationFailure HelmReleaseNotReady""",
    ),
    ({"namespace": "shop", "name": "checkout"}, "ops.release.canary", "FlaggerCanaryFailed CanaryRolledBack"),
    # Backups and security
    (
        VELERO,
        "ops.backup.velero",
        "VeleroBackupFailures VeleroBackupPartialFailures VeleroNoRecentBackup VeleroUnsuccessfulBackup",
    ),
    (
        {"namespace": "shop", "image_tag": "1.4.2", "severity": "critical"},
        "ops.security.vulnerabilities",
        "TrivyCriticalVulnerabilities ImageVulnerabilitiesCritical",
    ),
    ({"namespace": "shop"}, "ops.security.secret-leak", "TrivyExposedSecrets"),
    ({"rule": "Terminal shell in container"}, "ops.security.pod-compromise", "FalcoCriticalEvent"),
    ({"instance": "vault-0:8200"}, "ops.vault.hsm", "VaultSealed VaultClusterHealth"),
    # awesome-prometheus-alerts: hosts and containers
    (
        NODE,
        "ops.cluster.node",
        """HostOutOfMemory HostHighCpuLoad HostOomKillDetected HostClockSkew HostMemoryUnderMemoryPressure
        HostSwapIsFillingUp HostSystemdServiceCrashed HostNetworkInterfaceSaturated""",
    ),
    (
        NODE | {"mountpoint": "/var"},
        "ops.storage.disk",
        "HostOutOfDiskSpace HostDiskWillFillIn24Hours HostOutOfInodes HostUnusualDiskReadLatency",
    ),
    (
        KUBELET | {"namespace": "shop", "pod": "checkout-6d5"},
        "ops.service.resources",
        "ContainerHighCpuUtilization ContainerHighMemoryUsage ContainerHighThrottleRate KubernetesContainerOomKiller",
    ),
    (KUBELET, "ops.service.pod-down", "ContainerKilled ContainerAbsent"),
    (
        KSM,
        "ops.service.pod-down",
        """KubernetesPodNotHealthy KubernetesPodCrashLooping KubernetesDeploymentReplicasMismatch
        KubernetesStatefulsetDown""",
    ),
    (
        KSM | {"node": "worker-3"},
        "ops.cluster.node",
        "KubernetesNodeNotReady KubernetesNodeMemoryPressure KubernetesNodeOutOfPodCapacity",
    ),
    (KSM, "ops.storage.disk", "KubernetesVolumeOutOfDiskSpace KubernetesPersistentvolumeclaimPending"),
    (KSM, "ops.service.scaling", "KubernetesHpaScaleMaximum KubernetesHpaScaleInability"),
    (KSM, "ops.release.rolling-update", "KubernetesDaemonsetRolloutStuck KubernetesStatefulsetUpdateNotRolledOut"),
    # What says nothing of what is broken, or has no runbook
    (BARE, GENERAL, "TestAlert SomethingIsOdd NoOrdersForAnHour KubernetesJobFailed SpeedtestSlowInternetDownload"),
)
ALERTS: tuple[tuple[str, dict[str, str], str], ...] = tuple(
    (name, labels | {"alertname": name}, runbook) for labels, runbook, names in _TABLE for name in names.split()
)


def as_markdown() -> str:
    """Give the table as the documentation has it: each runbook with the alerts that lead to it."""
    alerts: dict[str, dict[str, None]] = {}
    for name, _, runbook in ALERTS:
        alerts.setdefault(runbook, {})[name] = None
    lines = [
        "# Which runbook an alert leads to",
        "",
        "The alert names of kube-prometheus-stack and the usual exporters' rules, by the runbook that is posted.",
        "They are found in any spelling (`Redis down` is `RedisDown`), and in the titles of PagerDuty's incidents.",
        "A `runbook_id`, a `signal` or your own runbook's `alerts` go first: `sitrep runbooks match` ranks them.",
        "What has no runbook of its own leads to `ops.general.first-response`.",
        "",
        "| Runbook | Alerts |",
        "|---|---|",
    ]
    return "\n".join([*lines, *(f"| `{book}` | {', '.join(names)} |" for book, names in sorted(alerts.items()))]) + "\n"
