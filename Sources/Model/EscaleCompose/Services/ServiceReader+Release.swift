import EscaleCore
import EscaleYAML

/// `x-escale.release`: how a new version takes the place of the old one.
extension ServiceReader {
    /// `x-escale`; after the ports, which tell the gateway whom to ask.
    func readEscale(_ section: Section, into service: inout Service) {
        let exposed = exposedPorts(section, into: &service)
        let hint = "write x-escale: {release: {…}}, or http, probe, on_unhealthy, autoscale or schedule in the same way"
        guard let escale = section["x-escale"]?.filledSection(.serviceEscale, hint: hint) else { return }
        if let release = escale["release"]?.filledSection(.release, hint: "write release: {strategy: canary}")
        {
            service.release = self.release(release)
        }
        service.onUnhealthy = escale["on_unhealthy"]?.choice(of: UnhealthyAction.self)
        service.autoscale = escale["autoscale"].flatMap(autoscale)
        service.schedule = escale["schedule"].flatMap(schedule)
        if let field = escale["probe"] { service.probe = probe(field, of: service) }
        if let field = escale["http"],
            let http = field.filledSection(.http, hint: "write http: {host: shop.example.org}")
        {
            let problems = context.diagnostics.count(where: { $0.severity == .error })
            service.http = self.http(http, ports: section["ports"], exposed: exposed, of: service)
            // What could not be read has no route that anything could be in conflict with.
            if context.diagnostics.count(where: { $0.severity == .error }) == problems {
                note(field, "x-escale.http")
            }
        }
    }

    private func release(_ section: Section) -> ReleaseSettings {
        var release = ReleaseSettings()
        let strategy = section["strategy"]
        let chosen = strategy == nil ? .rolling : strategy?.choice(of: ReleaseSettings.Strategy.self)
        if let strategy { note(strategy, "x-escale.release.strategy") }
        if let chosen {
            release.strategy = chosen
            checkFit(of: section, to: chosen)
        }
        if let drain = section["drain"]?.duration() { release.drain = drain }
        release.minHealthy = section["min_healthy"]?.duration()
        if let keep = section["keep"]?.duration() { release.keepWarm = keep }
        release.promotesByHand = section["promote"]?.choice(of: Promotion.self) == .manual
        release.isSticky = section["sticky"]?.boolean() ?? false
        release.sharesVolumes = section["shared_volumes"]?.boolean() ?? false
        release.preview = section["preview"].flatMap(preview)
        if let override = section["override"]?.filledSection(.releaseOverride) {
            let header = override["header"]?.httpName(of: "header", example: "X-Escale-Release")
            let cookie = override["cookie"]?.httpName(of: "cookie", example: "escale-release")
            release.overrideHeader = header ?? release.overrideHeader
            release.overrideCookie = cookie ?? release.overrideCookie
        }
        if let steps = section["steps"] {
            release.steps = self.steps(steps)
        } else if chosen == .canary {
            release.steps = Self.usualSteps
        }
        release.analysis = section["analysis"].flatMap(analysis)
        return release
    }

    private enum Promotion: String, CaseIterable { case auto, manual }

    private static let usualSteps: [ReleaseSettings.CanaryStep] = [
        .init(weight: 10, pause: .lasting(.seconds(30))), .init(weight: 50, pause: .lasting(.seconds(60))),
    ]

    /// Attributes that only some strategies know are errors with the others: they would do nothing.
    private func checkFit(of section: Section, to strategy: ReleaseSettings.Strategy) {
        let owners: KeyValuePairs<String, [ReleaseSettings.Strategy]> = [
            "steps": [.canary], "sticky": [.canary], "keep": [.blueGreen], "promote": [.blueGreen],
            "preview": [.blueGreen, .canary],
        ]
        for (key, strategies) in owners where !strategies.contains(strategy) {
            let names = strategies.map(\.rawValue)
            section[key]?.error(
                "compose.release.strategy",
                "\(section.field.path).\(key) has no meaning with the strategy \(strategy.rawValue)",
                hint: "it is for \(Field.listed(names)): write strategy: \(names[0]), or remove the line"
            )
        }
    }

    private func preview(_ field: Field) -> ReleaseSettings.Preview? {
        let hint = "write preview: {host: next.example.org}, or preview: {port: 8081}"
        guard let section = field.filledSection(.releasePreview, hint: hint) else { return nil }
        guard section["host"] != nil || section["port"] != nil else {
            if !section.misspells("host", "port") {
                field.error("compose.release.preview", "\(field.path) names no place to look at", hint: hint)
            }
            return nil
        }
        if let host = section["host"] { note(host, "x-escale.release.preview.host") }
        if let port = section["port"] { note(port, "x-escale.release.preview.port") }
        return .init(host: section["host"]?.dnsName(), port: section["port"]?.port())
    }

    // MARK: Steps

    private func steps(_ field: Field) -> [ReleaseSettings.CanaryStep] {
        let example = "write [{weight: 10, pause: 30s}, {weight: 50, pause: 1m}]"
        guard let items = field.items(hint: example) else { return [] }
        if items.isEmpty, !field.isNull {
            field.error(
                "compose.release.steps",
                "\(field.path) has no step",
                hint: "\(example), or remove the line for just these"
            )
        }
        var steps: [ReleaseSettings.CanaryStep] = []
        for item in items {
            guard let step = step(item) else { continue }
            if let last = steps.last, step.weight <= last.weight {
                item.error(
                    "compose.release.steps",
                    "\(item.path): the weight \(step.weight) is not above the \(last.weight) before it",
                    hint: "each step gives the new version more of the traffic; put them in that order"
                )
            }
            steps.append(step)
        }
        return steps
    }

    private func step(_ item: Field) -> ReleaseSettings.CanaryStep? {
        let example = "write {weight: 10, pause: 30s}"
        guard let section = item.section(.releaseStep, hint: example) else { return nil }
        for key in ["weight", "pause"] where section[key] == nil && !section.misspells(key) {
            item.error(
                "compose.release.steps",
                "\(item.path) has no `\(key)`",
                hint: key == "weight"
                    ? "say how much of the traffic goes to the new version: weight: 10"
                    : "say how long the step lasts: pause: 30s, or pause: manual to wait for `escale release promote`"
            )
        }
        guard let weight = section["weight"].flatMap(weight), let pause = section["pause"].flatMap(pause)
        else {
            return nil
        }
        return .init(weight: weight, pause: pause)
    }

    /// `10` or `10%`.
    private func weight(_ field: Field) -> Int? {
        guard let text = field.node.scalar?.text, text.hasSuffix("%") else {
            return field.integer(in: 1...100)
        }
        if let weight = Int(text.dropLast()), (1...100).contains(weight) { return weight }
        field.error(
            "compose.range",
            "\(field.path) is \(text); it must be a whole percentage, 1% to 100%",
            hint: "write weight: 10, or weight: 10%"
        )
        return nil
    }

    private func pause(_ field: Field) -> ReleaseSettings.CanaryStep.Pause? {
        if field.node.scalar?.text == "manual" { return .manual }
        let example = "write a duration such as 30s, or manual to wait for `escale release promote`"
        guard let text = field.text(hint: example) else { return nil }
        if let duration = Duration(compose: text) { return .lasting(duration) }
        field.error("compose.duration", "\(field.path): \"\(text)\" is not a duration", hint: example)
        return nil
    }
}
