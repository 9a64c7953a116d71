package import EscaleCompose
package import EscaleCore
import EscaleYAML

/// A project as objects of the Kubernetes API.
///
/// Pure: files' contents and what is known of images come in. Follows the API of Kubernetes 1.34; what an older server lacks is
/// for whoever talks to it.
package struct KubernetesMapping {
    let project: Project
    let options: MappingOptions
    /// By the name that the project gives the image.
    let images: [String: ImageFacts]
    let files: MappingFiles
    let names: ObjectNames
    private(set) var notes: [MappingNote] = []
    /// What services' pods need besides themselves: ConfigMaps of bound files, Secrets of variables.
    var extras: [KubernetesObject] = []
    /// The services that other names lead to, by these.
    var aliases: [String: ServiceName] = [:]

    package init(
        _ project: Project,
        options: MappingOptions = MappingOptions(),
        images: [String: ImageFacts] = [:],
        files: MappingFiles
    ) {
        self.project = project
        self.options = options
        self.images = images
        self.files = files
        names = ObjectNames(project)
    }

    /// The objects, in the order in which they are to be made, and what is to be said of single values.
    package static func manifests(
        _ project: Project,
        options: MappingOptions = MappingOptions(),
        images: [String: ImageFacts] = [:],
        files: MappingFiles
    ) -> ManifestSet {
        var mapping = Self(project, options: options, images: images, files: files)
        let objects = mapping.objects()
        return ManifestSet(
            project: mapping.names.project, namespace: options.namespace ?? mapping.names.project, objects: objects,
            notes: mapping.notes, neededSecrets: mapping.neededSecrets())
    }

    private mutating func objects() -> [KubernetesObject] {
        let external = Set(project.externalServices.map(\.service))
        let own = project.services.filter { !external.contains($0.name) }
        var workloads: [KubernetesObject] = []
        for service in own {
            var found = workload(of: service)
            found.service = names.service(service.name)
            found.plan = plan(of: service)
            workloads.append(found)
        }
        var objects: [KubernetesObject] = [
            KubernetesObject("v1", "Namespace", options.namespace ?? names.project, [:]), account,
        ]
        objects += secretObjects()
        objects += configObjects()
        objects += extras
        objects += claims(of: own)
        objects += networkPolicies(of: own)
        for service in own { objects += serviceObjects(of: service) }
        for external in project.externalServices { objects += externalObjects(of: external) }
        objects += workloads
        for service in own { objects += companions(of: service) }
        for index in objects.indices { objects[index].labels.merge(labels(of: objects[index])) { own, _ in own } }
        return objects
    }

    private func labels(of object: KubernetesObject) -> [String: String] {
        var labels = names.common
        if let service = object.service { labels["app.kubernetes.io/name"] = service }
        return labels
    }

    /// What pods run as: nobody with rights in the cluster, and without a token.
    private var account: KubernetesObject {
        KubernetesObject(
            "v1", "ServiceAccount", names.project,
            [
                "automountServiceAccountToken": false,
                "imagePullSecrets": YAMLValue.list(options.pullSecrets.map { .object(["name": .string($0)]) }).unlessEmpty,
            ])
    }

    // MARK: Notes

    /// Something that differs from what the file says.
    ///
    /// - Parameter path: of the attribute in the service, such as `volumes`.
    mutating func note(_ kind: MappingNote.Kind, _ service: Service, _ path: String, _ text: String) {
        note(kind, at: ["services", service.name.rawValue] + path.split(separator: ".").map(String.init), text)
    }

    mutating func note(_ kind: MappingNote.Kind, at path: [String], _ text: String) {
        let note = MappingNote(kind: kind, path: path, text: text)
        if !notes.contains(note) { notes.append(note) }
    }
}

/// Something that is to be said of one value of the file, beyond what ``Treatment/table`` says of its attribute.
package struct MappingNote: Hashable, Sendable {
    package enum Kind: Hashable, Sendable { case approximated, lost }

    package var kind: Kind
    /// Keys from the top of the file.
    package var path: [String]
    package var text: String
}

/// All objects of a project.
package struct ManifestSet: Sendable {
    /// The value of `app.kubernetes.io/instance`.
    package var project: String
    package var namespace: String
    package var objects: [KubernetesObject]
    package var notes: [MappingNote]
    /// Secrets that pods use and ``objects`` don't hold.
    package var neededSecrets: [NeededSecret]
}

/// A Secret that somebody has to make, and where its values are.
package struct NeededSecret: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        case file(String)
        /// A value that the project holds: of a variable, or of the file itself.
        case text(String)
        /// In the cluster already.
        case elsewhere
    }

    package var name: String
    /// By key.
    package var values: [String: Source]
}

extension Project {
    /// Services that somebody else runs: `x-escale.external`.
    package var externalServices: [ExternalService] { external ?? [] }
}

extension KubernetesMapping {
    /// What `app.kubernetes.io/instance` is for a project.
    package static func instance(of project: ProjectName) -> String { ObjectNames.label(project.rawValue) }
}
