import EscaleCore

/// What only a cluster goes by.
extension ServiceReader {
    func autoscale(_ field: Field) -> Autoscale? {
        let hint = "write autoscale: {min: 2, max: 10, cpu: 70}"
        guard let section = field.filledSection(.autoscale, hint: hint) else { return nil }
        guard let most = section["max"]?.integer(in: 1...10000) else {
            if section["max"] == nil { field.error("compose.missing", "\(field.path) doesn't say how many replicas there may be", hint: hint) }
            return nil
        }
        let least = section["min"]?.integer(in: 1...10000) ?? 1
        let processor = section["cpu"]?.integer(in: 1...1000) ?? 80
        guard least <= most else {
            section["min"]?.error("compose.autoscale", "\(field.path).min is \(least), more than max, which is \(most)", hint: hint)
            return nil
        }
        return Autoscale(least: Int(least), most: Int(most), processor: Int(processor))
    }

    /// Five fields, or one of cron's words.
    func schedule(_ field: Field) -> String? {
        let hint = "write minute, hour, day, month and weekday, such as \"0 3 * * *\", or @daily"
        guard let text = field.filledText(hint: hint) else { return nil }
        let words: Set = ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"]
        let fields = text.split(separator: " ")
        let signs = Set("0123456789*/,-?LW#")
        let isCron = fields.count == 5 && fields.allSatisfy { $0.allSatisfy { $0.isLetter || signs.contains($0) } }
        guard words.contains(text) || isCron else {
            field.error("compose.value", "\(field.path): \"\(text)\" is no schedule", hint: hint)
            return nil
        }
        return text
    }
}
