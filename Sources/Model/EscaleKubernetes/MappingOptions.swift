/// What the user decides of how a project goes to Kubernetes.
package struct MappingOptions: Hashable, Sendable {
    /// How ports that the file publishes are reached from outside the cluster.
    package enum Publishing: String, CaseIterable, Sendable {
        /// HTTP by a route, everything else by a load balancer.
        case auto
        case nodePort = "nodeport"
        case loadBalancer = "loadbalancer"
        case none
    }

    /// What leads HTTP to services.
    package enum Routing: String, CaseIterable, Sendable {
        /// networking.k8s.io/v1
        case ingress
        /// HTTPRoute of gateway.networking.k8s.io/v1
        case gateway
    }

    /// What becomes of values that are secret.
    package enum Secrecy: String, CaseIterable, Sendable {
        /// Secrets are referred to by name, and made by somebody else.
        case reference
        /// Their values are in the manifests.
        case values
        /// ExternalSecret of external-secrets.io/v1 brings them from a store.
        case external
    }

    /// How replicas are exchanged where a service's release has a strategy that Deployments don't know.
    package enum Strategies: String, CaseIterable, Sendable {
        /// By Deployments, which `escale kube apply` exchanges.
        case escale
        /// By Argo Rollouts: argoproj.io/v1alpha1.
        case argo
    }

    /// `nil` for the project's name.
    package var namespace: String?
    /// What goes before the names of images that are built here, such as `registry.example.org/team`.
    package var registry: String?
    package var publishing = Publishing.auto
    package var routing = Routing.ingress
    /// `nil` for the cluster's default.
    package var ingressClass: String?
    /// The Gateway that routes belong to, as `name` or `namespace/name`.
    package var gateway = "default"
    package var secrecy = Secrecy.reference
    /// The store of ``Secrecy/external``.
    package var secretStore = "default"
    package var strategies = Strategies.escale
    /// Secrets by which nodes fetch images.
    package var pullSecrets: [String] = []
    /// `nil` for the cluster's default.
    package var storageClass: String?

    package init(secrecy: Secrecy = .reference) { self.secrecy = secrecy }
}

/// What is known of an image on this machine.
package struct ImageFacts: Hashable, Sendable {
    package struct Port: Hashable, Sendable, Comparable {
        package var number: UInt16
        package var isUDP: Bool

        package init(number: UInt16, isUDP: Bool) {
            self.number = number
            self.isUDP = isUDP
        }

        package static func < (left: Self, right: Self) -> Bool {
            (left.number, left.isUDP ? 1 : 0) < (right.number, right.isUDP ? 1 : 0)
        }
    }

    /// Of the manifest, `sha256:…`.
    package var digest: String?
    package var ports: [Port] = []
    /// Directories that the image declares to be volumes.
    package var volumes: [String] = []
    package var stopSignal: String?
    /// `HEALTHCHECK`'s words, such as `CMD`, `curl`, …
    package var healthcheck: HealthcheckFacts?

    package init() {}
}

/// An image's `HEALTHCHECK`. What is `nil` has Docker's default.
package struct HealthcheckFacts: Hashable, Sendable {
    package var words: [String]
    package var interval: Duration?
    package var timeout: Duration?
    package var startPeriod: Duration?
    package var startInterval: Duration?
    package var retries: Int?

    package init(words: [String]) { self.words = words }
}

/// The files that mappings put into ConfigMaps and Secrets.
package struct MappingFiles: Sendable {
    package enum Reading: Sendable {
        case contents([UInt8])
        /// The regular files below it, by their paths relative to it.
        case directory([String: [UInt8]])
        /// Why it can't be read, or isn't for a cluster.
        case failed(String)
    }

    package var read: @Sendable (_ path: String) -> Reading

    package init(read: @escaping @Sendable (_ path: String) -> Reading) { self.read = read }
}
