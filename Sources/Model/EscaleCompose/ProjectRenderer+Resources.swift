import EscaleCore
import EscaleYAML

/// Limits and devices.
extension ProjectRenderer {
    static func add(_ resources: ServiceResources, to members: inout Members) {
        members.add("blkio_config", resources.blockIO.map(blockIO))
        members.add("cpu_count", resources.cpuCount.map(count))
        members.add("cpu_percent", resources.cpuPercent.map(number))
        members.add("cpu_period", resources.cpuPeriod.map(microseconds))
        members.add("cpu_quota", resources.cpuQuota.map(quota))
        members.add("cpu_rt_period", resources.realtimePeriod.map(microseconds))
        members.add("cpu_rt_runtime", resources.realtimeRuntime.map(microseconds))
        members.add("cpu_shares", resources.cpuShares.map(count))
        members.add("cpus", resources.cpus.map(number))
        members.add("cpuset", resources.cpuset.map(text))
        members.add("mem_limit", resources.memory.map(bytes))
        members.add("mem_reservation", resources.memoryReservation.map(bytes))
        members.add("mem_swappiness", resources.swappiness.map(count))
        members.add("memswap_limit", resources.memoryAndSwap.map(bytes))
        members.add("oom_kill_disable", flag(resources.disablesOutOfMemoryKiller))
        members.add("oom_score_adj", resources.outOfMemoryScore.map(count))
        members.add("pids_limit", resources.processes.map(count))
        members.add("shm_size", resources.sharedMemory.map(bytes))
        members.add("storage_opt", resources.storageOptions.flatMap(pairs))
        members.add("ulimits", resources.ulimits.flatMap(ulimits))
    }

    private static func quota(_ bound: Bound<Duration>) -> YAMLValue {
        switch bound {
        case .unlimited: .int(-1)
        case .at(let time): microseconds(time)
        }
    }

    static func flag(_ value: Bool?) -> YAMLValue? { flag(value ?? false) }

    static func ulimits(_ limits: [String: Ulimit]) -> YAMLValue? {
        mapOrNothing(
            limits.sorted { $0.key < $1.key }.map { name, limit in
                .init(
                    name,
                    limit.soft == limit.hard
                        ? count(limit.soft)
                        : .map([.init("soft", count(limit.soft)), .init("hard", count(limit.hard))])
                )
            }
        )
    }

    private static func blockIO(_ block: BlockIO) -> YAMLValue {
        func item(_ path: String, _ key: String, _ value: YAMLValue) -> YAMLValue {
            .map([.init("path", text(path)), .init(key, value)])
        }
        func items(_ limits: [BlockIO.DeviceBytes]) -> YAMLValue? {
            limits.isEmpty ? nil : .list(limits.map { item($0.path, "rate", bytes($0.rate)) })
        }
        func items(_ limits: [BlockIO.DeviceOperations]) -> YAMLValue? {
            limits.isEmpty ? nil : .list(limits.map { item($0.path, "rate", .string(String($0.rate))) })
        }
        var members = Members()
        members.add("weight", block.weight.map(count))
        members.add(
            "weight_device",
            block.deviceWeights.isEmpty
                ? nil : .list(block.deviceWeights.map { item($0.path, "weight", count($0.weight)) })
        )
        members.add("device_read_bps", items(block.readBytes))
        members.add("device_read_iops", items(block.readOperations))
        members.add("device_write_bps", items(block.writtenBytes))
        members.add("device_write_iops", items(block.writeOperations))
        return members.map
    }

    // MARK: Devices

    static func add(_ devices: ServiceDevices, to members: inout Members) {
        members.add("device_cgroup_rules", list(devices.cgroupRules))
        members.add("devices", devices.mappings.isEmpty ? nil : .list(devices.mappings.map(device)))
        members.add("gpus", devices.gpus.isEmpty ? nil : .list(devices.gpus.map(request)))
    }

    private static func device(_ mapping: DeviceMapping) -> YAMLValue {
        .map([
            .init("source", text(mapping.source)), .init("target", text(mapping.target)),
            .init("permissions", .string(mapping.permissions)),
        ])
    }

    private static func deviceCount(_ count: DeviceRequest.Count) -> YAMLValue {
        switch count {
        case .all: .int(-1)
        case .number(let number): .int(Int64(number))
        }
    }

    static func request(_ request: DeviceRequest) -> YAMLValue {
        var members = Members()
        members.add("capabilities", list(request.capabilities))
        members.add("driver", request.driver.map(text))
        members.add("count", request.count.map(deviceCount))
        members.add("device_ids", list(request.ids))
        members.add("options", pairs(request.options))
        return members.map
    }
}
