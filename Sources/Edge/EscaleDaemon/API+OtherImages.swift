import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleImages
import EscaleOCI
import EscaleSupervisor
import EscaleSystem

extension API {
    /// Pulls the images that services need besides their own, by the services' `pull_policy`, as far as no service builds them.
    func pullOtherImages(_ request: UpRequest, _ progress: @escaping Progress) async throws {
        let wanted = request.wanted
        let built = Set(
            request.project.services.filter { $0.build != nil }.map { $0.imageName(in: request.project.name) })
        for service in request.project.services where wanted.contains(service.name) {
            let policy = PullPolicy(service.imageSettings, override: request.pull)
            for name in service.otherImages where !built.contains(name) {
                do {
                    let reference = try ImageReference(name)
                    guard policy.pulls(has: has(name), last: platform.images.lastPull(reference), now: .now) else { continue }
                    _ = try await pull(reference, .host, request.credentials[reference.host], progress)
                } catch let error as EscaleError where error.code != .interrupted {
                    throw EscaleError(
                        error.code, "\(service.name) needs the image \"\(name)\", which can't be pulled: \(error.message)",
                        hint: error.hint, details: error.details)
                }
            }
        }
    }
}
