import EscaleCore
import EscaleYAML

/// `deploy.update_config` and `deploy.rollback_config`.
extension ServiceReader {
    func readUpdates(_ deploy: Section, into service: inout Service) {
        service.update = deploy["update_config"].flatMap { update($0, .updateConfig) }
        service.rollback = deploy["rollback_config"].flatMap { update($0, .rollbackConfig) }
    }

    private func update(_ field: Field, _ scope: ComposeAttribute.Scope) -> UpdateConfig? {
        guard let section = field.filledSection(scope, hint: "write at least parallelism: 1") else {
            return nil
        }
        var config = UpdateConfig()
        if let count = section["parallelism"]?.integer(in: 0...Self.mostReplicas) {
            config.parallelism = count
        }
        if let delay = section["delay"]?.duration() { config.delay = delay }
        if let action = section["failure_action"].flatMap({ failureAction($0, scope) }) {
            config.failureAction = action
        }
        if let monitor = section["monitor"]?.duration() { config.monitor = monitor }
        if let ratio = section["max_failure_ratio"]?.share() { config.maxFailureRatio = ratio }
        if let order = section["order"] {
            config.order = order.choice(of: UpdateConfig.Order.self)
            note(order, "deploy.\(scope == .updateConfig ? "update_config" : "rollback_config").order")
        }
        return config
    }

    /// A rollback that fails is not rolled back in turn: where would that end?
    private func failureAction(
        _ field: Field,
        _ scope: ComposeAttribute.Scope
    ) -> UpdateConfig.FailureAction? {
        guard scope == .rollbackConfig else { return field.choice(of: UpdateConfig.FailureAction.self) }
        if field.node.scalar?.text == UpdateConfig.FailureAction.rollback.rawValue {
            field.error(
                "compose.rollback.again",
                "\(field.path) can't be rollback: a rollback is never rolled back",
                hint: "write pause, to look at it, or continue"
            )
            return nil
        }
        return field.choice(of: RollbackFailure.self).map { $0 == .pause ? .pause : .continue }
    }

    private enum RollbackFailure: String, CaseIterable { case `continue`, pause }

    /// Remembers where an attribute of this service stands, for the validation.
    func note(_ field: Field, _ attribute: String) {
        context.places[.attribute(attribute, of: name.rawValue)] = field.position
    }
}
