import EscaleCore
import EscaleYAML

/// Limits of processors, memory, processes and devices.
extension ServiceReader {
    func readResources(_ section: Section, into service: inout Service) {
        var resources = ServiceResources()
        readProcessors(section, into: &resources)
        readMemory(section, into: &resources)
        resources.processes = section["pids_limit"]?.bound(in: 0...Int(Int32.max)).flatMap {
            $0 == .at(0) ? nil : $0
        }
        resources.disablesOutOfMemoryKiller = section.flag("oom_kill_disable")
        resources.outOfMemoryScore = section["oom_score_adj"]?.integer(in: -1000...1000).flatMap {
            $0 == 0 ? nil : $0
        }
        resources.blockIO = section["blkio_config"].flatMap(blockIO)
        resources.ulimits = section["ulimits"].flatMap { ulimits($0, .ulimit) }
        resources.sharedMemory = section["shm_size"]?.bytes()
        resources.storageOptions = section["storage_opt"]?.options(example: "write size: 20G").filled
        service.resources = filled(resources, unlike: ServiceResources())
    }

    private func readProcessors(_ section: Section, into resources: inout ServiceResources) {
        resources.cpus = section["cpus"]?.processors()
        resources.cpuCount = section["cpu_count"]?.integer(in: 0...65536).flatMap { $0 == 0 ? nil : $0 }
        resources.cpuPercent = section["cpu_percent"]?.percentage().flatMap { $0 == 0 ? nil : $0 }
        resources.cpuShares = section["cpu_shares"]?.integer(in: 0...262_144).flatMap { $0 == 0 ? nil : $0 }
        resources.cpuPeriod = section["cpu_period"]?.microseconds(in: .milliseconds(1) ... .seconds(1))
        resources.cpuQuota = section["cpu_quota"].flatMap(cpuQuota)
        let day = Duration.seconds(86400)
        resources.realtimePeriod = section["cpu_rt_period"]?.microseconds(in: .microseconds(1)...day)
        resources.realtimeRuntime = section["cpu_rt_runtime"]?.microseconds(in: .microseconds(1)...day)
        resources.cpuset = section["cpuset"].flatMap(cpuset)
        if let period = resources.realtimePeriod, let runtime = resources.realtimeRuntime, runtime > period {
            section["cpu_rt_runtime"]?.error(
                "compose.cpu.conflict",
                "services.\(name).cpu_rt_runtime is longer than cpu_rt_period",
                hint: "it is a part of each period; make it shorter"
            )
        }
        for other in ["cpu_period", "cpu_quota"] where resources.cpus != nil {
            guard let field = section[other] else { continue }
            field.error(
                "compose.cpu.conflict",
                "\(field.path) and `cpus` both say how much of the processors the service gets",
                hint:
                    "remove one of the two; cpus: 1.5 is the same as cpu_quota: 150000 with cpu_period: 100000"
            )
        }
    }

    private func cpuQuota(_ field: Field) -> Bound<Duration>? {
        if field.node.scalar?.text == "-1" { return .unlimited }
        return field.microseconds(in: .milliseconds(1) ... .seconds(86400)).map { .at($0) }
    }

    /// `0-3,5`.
    private func cpuset(_ field: Field) -> String? {
        let example = "write numbers and ranges such as \"0-3,5\""
        guard let text = field.text(hint: example), !text.isEmpty else { return nil }
        let isValid = text.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { part in
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2 else {
                return false
            }
            return first <= last
        }
        if isValid { return text }
        field.error("compose.cpuset", "\(field.path): \"\(text)\" names no processors", hint: example)
        return nil
    }

    private func readMemory(_ section: Section, into resources: inout ServiceResources) {
        func size(_ name: String) -> ByteCount? {
            section[name]?.bytes().flatMap { $0.rawValue == 0 ? nil : $0 }
        }
        resources.memory = size("mem_limit")
        resources.memoryReservation = size("mem_reservation")
        resources.memoryAndSwap = section["memswap_limit"]?.byteBound().flatMap {
            $0 == .at(ByteCount(0)) ? nil : $0
        }
        resources.swappiness = section["mem_swappiness"]?.integer(in: 0...100)
        if let limit = resources.memory, let reserved = resources.memoryReservation, reserved > limit {
            section["mem_reservation"]?.error(
                "compose.memory.conflict",
                "services.\(name).mem_reservation is more than mem_limit",
                hint: "what is set aside is a part of the limit; lower the one or raise the other"
            )
        }
        guard case .at(let total) = resources.memoryAndSwap, let field = section["memswap_limit"] else {
            return
        }
        if let limit = resources.memory, total < limit {
            field.error(
                "compose.memory.conflict",
                "\(field.path) is less than mem_limit",
                hint: "it counts memory and swap together; with the same value there is no swap"
            )
        } else if isWithoutLimit(section["mem_limit"]), section["deploy"]?.node.mapping?["resources"] == nil {
            field.error(
                "compose.memory.conflict",
                "\(field.path) needs a limit of memory beside it",
                hint: "write mem_limit too; this one counts memory and swap together"
            )
        }
    }

    /// Whether a limit is not there, or there and says so.
    private func isWithoutLimit(_ field: Field?) -> Bool {
        guard let field else { return true }
        return field.node.scalar.flatMap { ByteCount(compose: $0.text) }?.rawValue == 0
    }

    // MARK: Block devices

    private func blockIO(_ field: Field) -> BlockIO? {
        guard let section = field.section(.blockIO, hint: "write at least weight: 300") else { return nil }
        var block = BlockIO()
        block.weight = section["weight"].flatMap(weight)
        block.deviceWeights = devices(section["weight_device"], .blockWeight, "weight").compactMap {
            path,
            field in
            weight(field).map { BlockIO.DeviceWeight(path: path, weight: $0) }
        }
        func bytes(_ name: String, _ scope: ComposeAttribute.Scope) -> [BlockIO.DeviceBytes] {
            devices(section[name], scope, "rate").compactMap { path, field in
                field.bytes().map { BlockIO.DeviceBytes(path: path, rate: $0) }
            }
        }
        func operations(_ name: String, _ scope: ComposeAttribute.Scope) -> [BlockIO.DeviceOperations] {
            devices(section[name], scope, "rate").compactMap { path, field in
                field.integer(in: 0...Int(Int32.max)).map { BlockIO.DeviceOperations(path: path, rate: $0) }
            }
        }
        block.readBytes = bytes("device_read_bps", .blockReadBytes)
        block.readOperations = operations("device_read_iops", .blockReadOperations)
        block.writtenBytes = bytes("device_write_bps", .blockWriteBytes)
        block.writeOperations = operations("device_write_iops", .blockWriteOperations)
        return filled(block, unlike: BlockIO())
    }

    private func weight(_ field: Field) -> Int? { field.integer(in: 10...1000) }

    /// The devices of a list with what is to hold of each.
    private func devices(
        _ field: Field?,
        _ scope: ComposeAttribute.Scope,
        _ value: String
    ) -> [(path: String, value: Field)] {
        let example = "write - {path: /dev/sda, \(value): …}"
        return (field?.items(hint: example) ?? []).compactMap { item in
            guard let section = item.section(scope, hint: example) else { return nil }
            for key in ["path", value] where section[key] == nil && !section.misspells(key) {
                item.error("compose.missing", "\(item.path) has no `\(key)`", hint: example)
            }
            guard let pathField = section["path"], let path = pathField.filledText(),
                let value = section[value]
            else {
                return nil
            }
            guard path.hasPrefix("/") else {
                pathField.error(
                    "compose.path",
                    "\(pathField.path): \"\(path)\" must be absolute",
                    hint: "name the device, such as /dev/sda"
                )
                return nil
            }
            return (path, value)
        }
    }
}
