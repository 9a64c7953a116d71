/// Escale's own version, the same for the command line and the daemon.
package enum EscaleVersion {
    package static let current = "0.1.0"
}
