import CYAML

/// One event of libyaml's parser, copied out of C.
struct YAMLEvent {
    enum Kind {
        case streamStart
        case streamEnd
        case documentStart
        case documentEnd
        case alias(String)
        case scalar(YAMLScalar)
        case sequenceStart
        case sequenceEnd
        case mappingStart
        case mappingEnd
    }

    let kind: Kind
    let anchor: String?
    let tag: String?
    let mark: YAMLMark
}

/// A place as libyaml gives it: line and column from 0, columns in characters.
struct YAMLMark {
    let line: Int
    let column: Int
    /// Behind all of the text: libyaml then counts a line that need not be there.
    var isEnd = false
}

/// What libyaml says of text that is not YAML.
struct YAMLSyntaxFault: Error {
    let problem: String
    let mark: YAMLMark
    let context: String?
    let contextMark: YAMLMark
    /// Set where the text could not be decoded at all: the offset of the byte.
    let byteOffset: Int?
}

/// Owns one libyaml parser and the bytes that it reads.
final class YAMLEventReader {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>
    private let isReady: Bool

    init(_ bytes: some Collection<UInt8>) {
        input = .allocate(capacity: max(1, bytes.count))
        _ = input.update(fromContentsOf: bytes)
        parser = .allocate(capacity: 1)
        isReady = yaml_parser_initialize(parser) == 1
        guard isReady else { return }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
    }

    deinit {
        if isReady { yaml_parser_delete(parser) }
        parser.deallocate()
        input.deallocate()
    }

    /// The next event; after a fault or the end of the stream there is none.
    func next() throws(YAMLSyntaxFault) -> YAMLEvent {
        var event = yaml_event_t()
        guard isReady, yaml_parser_parse(parser, &event) == 1 else { throw fault() }
        defer { yaml_event_delete(&event) }
        let mark = YAMLMark(
            line: event.start_mark.line, column: event.start_mark.column,
            isEnd: parser.pointee.eof != 0 && event.start_mark.index == parser.pointee.mark.index)
        func make(
            _ kind: YAMLEvent.Kind,
            _ anchor: UnsafeMutablePointer<UInt8>? = nil,
            _ tag: UnsafeMutablePointer<UInt8>? = nil
        )
            -> YAMLEvent
        {
            YAMLEvent(kind: kind, anchor: text(anchor), tag: text(tag), mark: mark)
        }
        switch event.type {
        case YAML_STREAM_START_EVENT: return make(.streamStart)
        case YAML_DOCUMENT_START_EVENT: return make(.documentStart)
        case YAML_DOCUMENT_END_EVENT: return make(.documentEnd)
        case YAML_ALIAS_EVENT: return make(.alias(text(event.data.alias.anchor) ?? ""))
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            let value = YAMLScalar(String(decoding: bytes, as: UTF8.self), style: Self.style(scalar.style))
            return make(.scalar(value), scalar.anchor, scalar.tag)
        case YAML_SEQUENCE_START_EVENT:
            return make(.sequenceStart, event.data.sequence_start.anchor, event.data.sequence_start.tag)
        case YAML_SEQUENCE_END_EVENT: return make(.sequenceEnd)
        case YAML_MAPPING_START_EVENT:
            return make(.mappingStart, event.data.mapping_start.anchor, event.data.mapping_start.tag)
        case YAML_MAPPING_END_EVENT: return make(.mappingEnd)
        default: return make(.streamEnd)
        }
    }

    private func text(_ pointer: UnsafeMutablePointer<UInt8>?) -> String? {
        pointer.map { String(cString: $0) }
    }

    private static func style(_ style: yaml_scalar_style_t) -> YAMLScalar.Style {
        switch style {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE: .singleQuoted
        case YAML_DOUBLE_QUOTED_SCALAR_STYLE: .doubleQuoted
        case YAML_LITERAL_SCALAR_STYLE: .literal
        case YAML_FOLDED_SCALAR_STYLE: .folded
        default: .plain
        }
    }

    private func fault() -> YAMLSyntaxFault {
        func text(_ pointer: UnsafePointer<CChar>?) -> String? { pointer.map { String(cString: $0) } }
        func mark(_ mark: yaml_mark_t) -> YAMLMark { YAMLMark(line: mark.line, column: mark.column) }
        guard isReady else {
            let start = YAMLMark(line: 0, column: 0)
            return YAMLSyntaxFault(
                problem: "out of memory",
                mark: start,
                context: nil,
                contextMark: start,
                byteOffset: nil
            )
        }
        let state = parser.pointee
        return YAMLSyntaxFault(
            problem: text(state.problem) ?? "the text could not be read",
            mark: mark(state.problem_mark),
            context: text(state.context),
            contextMark: mark(state.context_mark),
            byteOffset: state.error == YAML_READER_ERROR ? state.problem_offset : nil
        )
    }
}
