import EscaleCompose
import EscaleEngine

extension Recipe {
    /// What becomes of the containers' output.
    var logSettings: LogSettings {
        let policy = LogPolicy(service.logging)
        let destination: LogSettings.Destination =
            switch policy.driver {
            case .jsonFile, .local: .filesOnly
            case .none: .nobody
            case .journald: .journal
            case .syslog:
                .syslog(
                    SyslogTarget(
                        address: policy.syslogAddress, facility: policy.syslogFacility, format: policy.syslogFormat))
            }
        return LogSettings(destination: destination, fileSize: policy.fileSize, fileCount: policy.fileCount)
    }
}
