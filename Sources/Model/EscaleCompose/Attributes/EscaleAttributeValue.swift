/// What is written as the value of one attribute of `x-escale`, and what it means: what editors need to know.
package struct EscaleAttributeValue: Hashable, Sendable {
    package let scope: ComposeAttribute.Scope
    package let name: String
    let shape: ValueShape
    /// One sentence.
    let meaning: String
    let isRequired: Bool

    /// One for each attribute that ``ComposeAttribute/table`` has below `x-escale`.
    package static let table: [EscaleAttributeValue] = release + analysis + http

    private static func values(
        _ scope: ComposeAttribute.Scope,
        required: Set<String> = [],
        _ members: KeyValuePairs<String, (ValueShape, String)>
    ) -> [EscaleAttributeValue] {
        members.map { name, value in
            EscaleAttributeValue(
                scope: scope,
                name: name,
                shape: value.0,
                meaning: value.1,
                isRequired: required.contains(name)
            )
        }
    }

    private static let release: [EscaleAttributeValue] =
        values(
            .fileEscale,
            [
                "release": (.section(.fileRelease), "How releases of the project are kept."),
                "registry": (.section(.fileRegistry), "A registry that this host serves its images with."),
                "external": (.named(.section(.external)), "Services that somebody else runs, such as a managed database, by the service's name."),
            ]
        )
        + values(
            .fileRegistry,
            required: ["listen"],
            [
                "listen": (.text(matching: "^[^:].*:[0-9]{1,5}$"), "The address and the port, such as 127.0.0.1:5000."),
                "htpasswd": (.text, "A file with the users who may come in; without one everybody may."),
                "tls_certificate": (.text, "A file with the certificate to serve over TLS with (PEM)."),
                "tls_key": (.text, "The certificate's key (PEM)."),
            ]
        )
        + values(
            .external,
            required: ["host", "port"],
            [
                "host": (.text(matching: "^([!-.0-9;-~]+|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)$"), "The name or the address of the host that runs it."),
                "port": (.port, "The port that it listens at there."),
                "secret": (.text, "The secret with its password; in a cluster it is expected to be there."),
            ]
        )
        + values(.volumeEscale, ["size": (.size, "In Kubernetes: how large the volume is to be.")])
        + values(
            .autoscale,
            required: ["max"],
            [
                "min": (.whole(1...10000), "The fewest replicas; 1."),
                "max": (.whole(1...10000), "The most replicas."),
                "cpu": (.whole(1...1000), "The processor time that replicas are to use, in percent of what they ask for; 80."),
            ]
        )
        + values(.fileRelease, ["keep": (.whole(1...100), "How many releases are kept to go back to; 10.")])
        + values(
            .serviceEscale,
            [
                "release": (.section(.release), "How a new version takes the place of the old one."),
                "http": (.section(.http), "How the gateway serves the service; {} for all defaults."),
                "probe": (.section(.probe), "A health check that the daemon makes itself, without a process in the container."),
                "autoscale": (.section(.autoscale), "In Kubernetes: how many replicas there are when it is busy."),
                "schedule": (.text(matching: "^(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|([^ ]+ +){4}[^ ]+)$"), "In Kubernetes: when it runs, as cron writes it, such as 0 3 * * *."),
                "on_unhealthy": (
                    .words(UnhealthyAction.allCases.map(\.rawValue)),
                    "What becomes of an unhealthy container; restart, if its restart policy restarts one that failed."
                ),
            ]
        )
        + values(
            .probe,
            [
                "http": (.text(matching: "^/"), "A path to GET; good is an answer from 200 to 399."),
                "tcp": (.whole(1...65535), "A port of the container; good is a connection that is taken."),
                "port": (.whole(1...65535), "The container's port for http; the first one under ports."),
            ]
        )
        + values(
            .release,
            [
                "strategy": (
                    .words(ReleaseSettings.Strategy.allCases.map(\.rawValue)),
                    "rolling exchanges replicas, blue-green moves all traffic at once, canary in steps."
                ),
                "steps": (
                    .list(.section(.releaseStep)), "Shares of the traffic for the new version, ascending; canary only."
                ),
                "analysis": (.section(.analysis), "What the new version is judged by; blue-green and canary."),
                "drain": (.duration, "How long connections of a leaving replica may go on; 10s."),
                "min_healthy": (.duration, "How long a replica has to be ready before it counts."),
                "keep": (.duration, "How long the old version stays ready to come back; 60s; blue-green only."),
                "promote": (.words(["auto", "manual"]), "Whether the switch waits for a person; blue-green only."),
                "preview": (.section(.releasePreview), "Where the new version can be seen before it gets traffic."),
                "sticky": (.boolean, "Whether a client stays with its version; canary only."),
                "override": (.section(.releaseOverride), "The header and cookie that choose a version by `new` or `old`."),
                "shared_volumes": (.boolean, "Whether two versions may write the volumes at the same time."),
            ]
        )
        + values(
            .releaseStep,
            required: ["weight", "pause"],
            [
                "weight": (
                    .either([.whole(1...100), .text(matching: "^[0-9]+%$")]), "Percent of the traffic, 1 to 100."
                ),
                "pause": (.either([.duration, .words(["manual"])]), "How long the step lasts; manual to wait for a person."),
            ]
        )
        + values(
            .releasePreview,
            [
                "host": (.text, "A host name at the ports of x-escale.http."),
                "port": (.port, "A port of this machine, on loopback."),
            ]
        )
        + values(
            .releaseOverride,
            [
                "header": (.text, "The request header; X-Escale-Release."),
                "cookie": (.text, "The cookie; escale-release."),
            ]
        )

    private static let analysis: [EscaleAttributeValue] =
        values(
            .analysis,
            [
                "max_error_rate": (.share, "Failed requests as a share of all."),
                "max_error_rate_increase": (.share, "By how much the error rate may be above the old version's."),
                "max_p50": (.duration, "How long 50 of 100 requests may take."),
                "max_p95": (.duration, "How long 95 of 100 requests may take."),
                "max_p99": (.duration, "How long 99 of 100 requests may take."),
                "max_p95_ratio": (.number, "How many times the old version's p95 the new one's may be."),
                "min_requests": (.whole(1...1_000_000), "With fewer the judgement is inconclusive; 50."),
                "probe": (.path, "A path that Escale asks each new replica for, so that there is traffic to judge."),
                "interval": (.duration, "Between two judgements; 5s."),
                "prometheus": (.section(.analysisQuery), "A query whose first value is judged."),
                "command": (.oneOrMore(.text), "Run on the host: exit code 0 is good, 1 bad, all others an error."),
                "inconclusive": (
                    .words(Analysis.Inconclusive.allCases.map(\.rawValue)), "What to do when too few requests came; pause."
                ),
                "dry_run": (.boolean, "Judge and write down, but do not act on it."),
            ]
        )
        + values(
            .analysisQuery,
            required: ["server", "query"],
            [
                "server": (.text(matching: "^[hH][tT][tT][pP][sS]?://."), "Its base address."),
                "query": (.text, "In PromQL."),
                "min": (.number, "The least that the value may be."),
                "max": (.number, "The most that the value may be."),
            ]
        )

    private static let http: [EscaleAttributeValue] =
        values(
            .http,
            [
                "host": (.oneOrMore(.text), "Host names; *. at the beginning stands for any name right below. Any host without it."),
                "path": (.path, "The prefix of paths, in whole segments; /."),
                "container_port": (.port, "The container's port; needed unless the service has exactly one."),
                "address": (.text, "The address of the host to listen at."),
                "port": (.port, "The host's port for plain HTTP; 80."),
                "tls": (.section(.httpTLS), "The certificate, and where it is used."),
                "timeout": (.duration, "From the whole request to the head of the answer; 60s."),
                "idle_timeout": (.duration, "How long a connection may be silent; 60s."),
                "tunnel_timeout": (.duration, "The same for WebSockets and other tunnels; 1h."),
                "retries": (.whole(0...10), "How often a request is tried on another replica where that is safe; 2."),
                "max_body": (.size, "The largest body of a request; no limit without it."),
                "rate_limit": (.section(.httpRateLimit), "How many requests one client address may send."),
                "sticky": (.text, "The cookie by which a client stays with its replica."),
                "hold": (.duration, "How long requests wait while no replica is there; 30s, 0 for not at all."),
                "eject": (.section(.httpEject), "When a failing replica gets no requests for a while."),
                "proxy_protocol": (.section(.httpProxyProtocol), "Where the PROXY protocol's header is spoken."),
            ]
        )
        + values(
            .httpTLS,
            required: ["certificate", "key"],
            [
                "certificate": (.text, "The chain as PEM, relative to the compose file."),
                "key": (.text, "The private key as PEM, relative to the compose file."),
                "port": (.port, "The host's port for HTTPS; 443."),
                "redirect": (.boolean, "Whether plain HTTP is sent to HTTPS; true."),
            ]
        )
        + values(
            .httpRateLimit,
            required: ["requests", "period"],
            [
                "requests": (.whole(1...1_000_000_000), "How many requests."),
                "period": (.duration, "Within how long."),
            ]
        )
        + values(
            .httpEject,
            [
                "errors": (.whole(0...1_000_000), "So many errors in a row; 20, 0 for never."),
                "for": (.duration, "For so long; 10s."),
            ]
        )
        + values(
            .httpProxyProtocol,
            [
                "accept": (.boolean, "Whether clients send it."),
                "send": (.boolean, "Whether the containers get it."),
            ]
        )
}
