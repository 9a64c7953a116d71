import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleOCI
import EscaleSystem
import FoundationEssentials

extension Recipe {
    var isPrivileged: Bool { service.security?.isPrivileged == true }

    /// A privileged container has every capability, whatever `cap_drop` says, as in Docker.
    ///
    /// - Parameter available: what this machine has to give; a machine that is itself confined has less than all.
    func capabilities(of available: [String]) throws(EscaleError) -> [String] {
        if isPrivileged { return available.sorted() }
        let capabilities = try Capabilities.resolved(
            adding: service.addedCapabilities, dropping: service.droppedCapabilities, of: available)
        if let missing = Set(capabilities).subtracting(available).sorted().first,
            !Capabilities.standard.contains(missing)
        {
            throw .settingRefused(
                "cap_add", "root of this machine has no \(missing) itself", hint: "remove it from `cap_add`"
            ).of("service \(service.name)")
        }
        return capabilities
    }

    /// How the service's containers are kept apart from the machine; `nil` for as usual. Reads a seccomp profile: blocks.
    func confinement() throws(EscaleError) -> Confinement? {
        var confinement = Confinement()
        confinement.isPrivileged = isPrivileged
        confinement.deviceRules = service.devices?.cgroupRules ?? []
        for option in service.security?.options ?? [] {
            let cut = option.firstIndex { $0 == ":" || $0 == "=" } ?? option.endIndex
            let value = String(option[cut...].dropFirst())
            switch option[..<cut] {
            case "no-new-privileges": confinement.noNewPrivileges = value != "false"
            case "systempaths": confinement.showsSystemPaths = true
            case "writable-cgroups": confinement.writesCgroups = value == "true"
            case "seccomp": confinement.systemCalls = try systemCalls(value)
            case "apparmor": confinement.appArmorProfile = try appArmorProfile(value)
            // What else there is, such as label=disable, asks for what is so anyway.
            default: break
            }
        }
        return confinement == Confinement() ? nil : confinement
    }

    private func systemCalls(_ value: String) throws(EscaleError) -> Confinement.SystemCalls {
        switch value {
        case "unconfined": return .any
        case "builtin": return .standard
        default: break
        }
        func refused(_ reason: String) -> EscaleError {
            .settingRefused(
                "security_opt", "the seccomp profile \(value) \(reason)",
                hint: "name a JSON file as Docker takes it, or write seccomp=unconfined"
            ).of("service \(service.name)")
        }
        let bytes: [UInt8]
        do {
            bytes = try Files.read(value)
        } catch {
            throw refused("can't be read: \(error.message)")
        }
        do {
            return .profile(try JSONDecoder().decode(SeccompProfile.self, from: Data(bytes)))
        } catch {
            throw refused("is none: \(error)")
        }
    }

    private func appArmorProfile(_ value: String) throws(EscaleError) -> String? {
        let isPresent = (try? Files.readText("/sys/module/apparmor/parameters/enabled"))?.hasPrefix("Y") == true
        if isPresent { return value }
        if value == "unconfined" { return nil }
        throw .settingRefused(
            "security_opt", "this kernel has no AppArmor to keep the profile \(value)",
            hint: "boot it with apparmor=1 security=apparmor, or remove the line"
        ).of("service \(service.name)")
    }

    var devices: [HostDevice]? {
        let mappings = service.devices?.mappings ?? []
        return mappings.isEmpty
            ? nil : mappings.map { HostDevice(source: $0.source, target: $0.target, access: $0.permissions) }
    }

    /// The OCI runtime that the service names; `nil` for the engine's.
    private func runtime() throws(EscaleError) -> String? {
        guard let name = service.security?.runtime else { return nil }
        let isKnown = ["crun", "runc"].contains(name) || name.hasPrefix("/")
        guard isKnown, let path = HostFacts.program(name) else {
            throw .settingRefused(
                "runtime", isKnown ? "there is no \(name) on this host" : "there is no runtime \"\(name)\" here",
                hint: isKnown
                    ? "install it: apt-get install \(name.split(separator: "/").last ?? "")"
                    : "write crun, runc, or the absolute path of another OCI runtime"
            ).of("service \(service.name)")
        }
        return path
    }

    /// Whether its containers see their own control group as the root of all: with cgroup v2 unless they ask for the host's
    /// view, with v1 only if they ask for their own. As in Docker.
    func hasCgroupNamespace(_ layout: HostFacts.CgroupLayout) -> Bool? {
        switch service.namespaces?.cgroup {
        case .named("private"): true
        case .named("host"): nil
        default: layout == .v2 && !isPrivileged ? true : nil
        }
    }

    func blueprint(_ spec: ContainerSpec, name: String, layers: [String]) throws(EscaleError) -> ContainerBlueprint {
        var blueprint = ContainerBlueprint(spec: spec, name: name, layers: layers)
        blueprint.runtime = try runtime()
        blueprint.cgroupParent = cgroupParent
        if service.stdinOpen { blueprint.input = .keptOpen }
        blueprint.logging = logSettings
        return blueprint
    }

    /// `/batch`, from `batch` too.
    private var cgroupParent: String? {
        service.namespaces?.cgroupParent.map { "/" + $0.split(separator: "/").joined(separator: "/") }
    }
}
