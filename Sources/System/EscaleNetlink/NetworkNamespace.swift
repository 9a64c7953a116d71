import CEscaleLinux
package import EscaleCore
package import EscaleSystem

/// A network namespace, held open.
package struct NetworkNamespace: Sendable {
    package let descriptor: FileDescriptor

    /// The namespace of a process. Throws `system.not-found` where the process is gone.
    package init(ofProcess pid: Int32) throws(EscaleError) {
        descriptor = FileDescriptor(
            owning: try check("open the network namespace of process \(pid)") { c_escale_open_netns(pid) })
    }

    /// Moves the calling thread in, for the rest of its life: only for work inside `onNewThread`.
    package func enter() throws(EscaleError) {
        try check("enter a network namespace") { c_escale_set_netns(descriptor.number) }
    }
}
