import EscaleNetlink

extension Roster {
    static let stateCommand = "show servers state"

    /// What HAProxy says it is set to; the shares are not among it.
    init(serversState text: String) {
        self.init()
        for line in text.split(separator: "\n") where line.first?.isNumber == true {
            let fields = line.split(separator: " ")
            // 1 proxy, 3 server, 4 address, 6 administrative state, 7 weight, 18 port
            guard fields.count > 18, fields[3].first == "s", let slot = Int(fields[3].dropFirst()),
                let address = IPv4Address(String(fields[4])), let admin = Int(fields[6]),
                let weight = Int(fields[7]), let port = UInt16(fields[18])
            else { continue }
            let isVacant = address.rawValue == 0
            if isVacant { continue }
            servers[ServerPlace(proxy: String(fields[1]), slot: slot)] = ServerSetting(
                address: address, port: port, weight: weight, isReady: admin & Self.forcedMaintenance == 0)
        }
    }

    private static let forcedMaintenance = 1
}
