import EscaleCluster
import EscaleCore
import EscaleKubernetes

/// Options of the commands that talk to a cluster.
protocol ClusterCommandOptions: CommandOptions {
    var selection: Kubeconfig.Selection { get set }
}

extension Flag where Options: ClusterCommandOptions {
    /// Which cluster, and who one is there.
    static var cluster: [Flag<Options>] {
        [
            .value("kubeconfig", nil, "FILE", "The kubeconfig, instead of KUBECONFIG's files or ~/.kube/config") { $0.selection.file = $1 },
            .value("context", nil, "NAME", "The context in it, instead of the current one") { $0.selection.context = $1 },
        ]
    }
}

/// Options of those that know the project by its name alone.
protocol ClusterProjectOptions: ClusterCommandOptions {
    var namespace: String? { get set }
}

extension Flag where Options: ClusterProjectOptions {
    static var clusterProject: [Flag<Options>] {
        [.value("namespace", "n", "NAME", "The namespace; the project's name without it") { $0.namespace = $1 }] + cluster
    }
}

extension Session {
    func cluster(_ selection: Kubeconfig.Selection) throws -> ClusterClient {
        let access = try Kubeconfig.access(selection, environment: environment, workingDirectory: workingDirectory)
        access.warnings.forEach(warn)
        return ClusterClient(access, environment: environment)
    }

    /// The project in the cluster, without its manifests; by `-p` alone, or by the compose files.
    func clusterProject(_ options: some ClusterProjectOptions) throws -> ClusterProject {
        let name = KubernetesMapping.instance(of: try target().name)
        return ClusterProject(client: try cluster(options.selection), name: name, namespace: options.namespace ?? name)
    }

    /// A mapped project in the cluster.
    func clusterProject(_ mapped: MappedProject, _ options: some ClusterCommandOptions) throws -> ClusterProject {
        ClusterProject(client: try cluster(options.selection), name: mapped.manifests.project, namespace: mapped.manifests.namespace)
    }
}
