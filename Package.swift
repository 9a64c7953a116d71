// swift-tools-version: 6.2
import PackageDescription

/// Applied to every Swift target: explicit and checked imports, no implicit hops, warnings are errors.
let strict: [SwiftSetting] =
    ["ExistentialAny", "MemberImportVisibility", "InternalImportsByDefault", "NonisolatedNonsendingByDefault"]
    .map { .enableUpcomingFeature($0) } + [.treatAllWarnings(as: .error)]

/// A library target in its layer's folder. Layers point one way: Programs → Edge → Platform → {Model, System} → Base.
func library(_ layer: String, _ name: String, _ dependencies: [String]) -> Target {
    .target(
        name: name,
        dependencies: dependencies.map { .init(stringLiteral: $0) },
        path: "Sources/\(layer)/\(name)",
        swiftSettings: strict
    )
}

/// The header shims of one Debian library; exactly one Swift target imports it.
func systemLibrary(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/CLibs/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

/// Programs carry Swift's libraries in themselves, so that they run where no toolchain is. Only linking is static:
/// `--static-swift-stdlib` would compile everything against libraries that hold no Testing, and the tests then need a
/// second build. The two libraries are what FoundationEssentials is made of; a static link has to name them.
let selfContained: [LinkerSetting] = [
    .unsafeFlags(["-static-stdlib"]),
    .linkedLibrary("_FoundationCShims"),
    .linkedLibrary("_FoundationCollections"),
]

func program(_ name: String, _ dependencies: [String]) -> Target {
    .executableTarget(
        name: name,
        dependencies: dependencies.map { .init(stringLiteral: $0) },
        path: "Sources/Programs/\(name)",
        swiftSettings: strict,
        linkerSettings: selfContained
    )
}

func tests(_ name: String, _ dependencies: [String]) -> Target {
    .testTarget(
        name: name,
        dependencies: dependencies.map { .init(stringLiteral: $0) },
        path: "Tests/\(name)",
        swiftSettings: strict
    )
}

let cLibraries: [Target] = [
    systemLibrary("CYAML", pkgConfig: "yaml-0.1", apt: "libyaml-dev"),
    systemLibrary("CArchive", pkgConfig: "libarchive", apt: "libarchive-dev"),
    systemLibrary("CCrypto", pkgConfig: "libcrypto", apt: "libssl-dev"),
    systemLibrary("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
    systemLibrary("CMicroHTTPD", pkgConfig: "libmicrohttpd", apt: "libmicrohttpd-dev"),
    systemLibrary("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
    systemLibrary("CNetlink", pkgConfig: "libnl-route-3.0", apt: "libnl-route-3-dev"),
    systemLibrary("CNFTables", pkgConfig: "libnftables", apt: "libnftables-dev"),
    systemLibrary("CCrypt", pkgConfig: "libcrypt", apt: "libcrypt-dev"),
    .target(name: "CEscaleLinux", path: "Sources/CEscaleLinux"),
]

let base: [Target] = [
    library("Base", "EscaleCore", []),
    library("Base", "EscaleYAML", ["EscaleCore", "CYAML"]),
]

let model: [Target] = [
    library("Model", "EscaleCompose", ["EscaleCore", "EscaleYAML"]),
    library("Model", "EscaleDockerfile", ["EscaleCore"]),
    library("Model", "EscaleOCI", ["EscaleCore"]),
    library("Model", "EscalePlan", ["EscaleCore", "EscaleCompose"]),
    library("Model", "EscaleAPI", ["EscaleCore", "EscaleCompose"]),
    library("Model", "EscaleKubernetes", ["EscaleCore", "EscaleYAML", "EscaleCompose", "EscaleRelease"]),
    library("Model", "EscaleRelease", ["EscaleCore", "EscaleCompose", "EscaleAPI"]),
]

let system: [Target] = [
    library("System", "EscaleSystem", ["EscaleCore", "CEscaleLinux"]),
    library("System", "EscaleArchive", ["EscaleCore", "EscaleSystem", "CArchive"]),
    library("System", "EscaleCrypto", ["EscaleCore", "CCrypto", "CCrypt"]),
    library("System", "EscaleHTTP", ["EscaleCore", "EscaleSystem", "CCurl", "CMicroHTTPD"]),
    library("System", "EscaleNetlink", ["EscaleCore", "EscaleSystem", "CEscaleLinux", "CNetlink", "CNFTables"]),
    library("System", "EscaleStore", ["EscaleCore", "CSQLite"]),
]

let platform: [Target] = [
    library(
        "Platform", "EscaleImages",
        ["EscaleCore", "EscaleOCI", "EscaleSystem", "EscaleArchive", "EscaleCrypto"]),
    library(
        "Platform", "EscaleRegistry",
        [
            "EscaleCore", "EscaleYAML", "EscaleAPI", "EscaleOCI", "EscaleSystem", "EscaleCrypto", "EscaleHTTP",
            "EscaleImages",
        ]),
    library("Platform", "EscaleAnalysis", ["EscaleCore", "EscaleAPI", "EscaleCompose", "EscaleRelease", "EscaleSystem", "EscaleHTTP"]),
    library(
        "Platform", "EscaleCluster",
        [
            "EscaleCore", "EscaleYAML", "EscaleAPI", "EscaleCompose", "EscaleRelease", "EscaleKubernetes", "EscaleSystem", "EscaleHTTP",
            "EscaleAnalysis",
        ]),
    library("Platform", "EscaleNetwork", ["EscaleCore", "EscaleSystem", "EscaleNetlink"]),
    library(
        "Platform", "EscaleGateway",
        ["EscaleCore", "EscaleCompose", "EscaleSystem", "EscaleNetlink"]),
    library(
        "Platform", "EscaleEngine",
        ["EscaleCore", "EscaleOCI", "EscaleSystem"]),
    library(
        "Platform", "EscaleBuild",
        [
            "EscaleCore", "EscaleDockerfile", "EscaleOCI", "EscaleSystem", "EscaleArchive", "EscaleCrypto",
            "EscaleHTTP", "EscaleImages",
        ]),
    library(
        "Platform", "EscaleSupervisor",
        [
            "EscaleCore", "EscaleAPI", "EscaleCompose", "EscaleOCI", "EscalePlan", "EscaleSystem",
            "EscaleCrypto", "EscaleStore", "EscaleNetlink", "EscaleHTTP", "EscaleImages", "EscaleNetwork", "EscaleEngine",
            "EscaleRelease", "EscaleAnalysis", "EscaleGateway", "EscaleArchive",
        ]),
]

let edge: [Target] = [
    library("Edge", "EscaleClient", ["EscaleCore", "EscaleAPI", "EscaleCompose", "EscaleSystem", "EscaleHTTP"]),
    library(
        "Edge", "EscaleCLI",
        [
            "EscaleCore", "EscaleYAML", "EscaleAPI", "EscaleClient", "EscaleCompose", "EscaleDockerfile", "EscaleOCI",
            "EscaleKubernetes", "EscaleRelease", "EscaleCluster", "EscaleCrypto", "EscaleSystem",
        ]),
    library(
        "Edge", "EscaleDaemon",
        [
            "EscaleCore", "EscaleAPI", "EscaleCompose", "EscaleOCI", "EscaleSystem", "EscaleHTTP", "EscaleImages",
            "EscaleBuild", "EscaleNetwork", "EscaleEngine", "EscaleGateway", "EscaleSupervisor", "EscaleRegistry",
        ]),
]

let programs: [Target] = [
    program("escale", ["EscaleCLI"]),
    program("escaled", ["EscaleDaemon"]),
]

let testTargets: [Target] = [
    .target(
        name: "EscaleTestSupport", dependencies: ["EscaleCore", "EscaleSystem"], path: "Tests/Support",
        swiftSettings: strict),
    // What only tests can say, since it needs the toolchain's Testing.
    .target(
        name: "EscaleTestExpectations", dependencies: ["EscaleCore", "EscaleSystem"], path: "Tests/Expectations",
        swiftSettings: strict),
    .target(
        name: "EscaleFuzz", dependencies: ["EscaleTestSupport", "EscaleCore", "EscaleYAML", "EscaleCompose"],
        path: "Tests/Fuzz/Inputs",
        swiftSettings: strict),
    .executableTarget(
        name: "escale-fuzz", dependencies: ["EscaleFuzz"], path: "Tests/Fuzz/Program",
        swiftSettings: strict),
    .target(name: "CVirtualClock", path: "Tests/Simulation/VirtualClock", publicHeadersPath: "include"),
    .executableTarget(
        name: "escale-simulate",
        dependencies: [
            "CVirtualClock", "EscaleTestSupport", "EscaleCore", "EscaleAPI", "EscaleCompose", "EscaleOCI", "EscaleSystem",
            "EscaleStore", "EscaleNetlink", "EscaleImages", "EscaleNetwork", "EscaleGateway", "EscaleEngine",
            "EscaleSupervisor",
        ],
        path: "Tests/Simulation/Program",
        swiftSettings: strict),
    tests("EscaleCoreTests", ["EscaleCore"]),
    tests(
        "EscaleCLITests",
        [
            "EscaleTestExpectations", "EscaleCore", "EscaleAPI", "EscaleCLI", "EscaleClient", "EscaleCompose", "EscaleDockerfile",
            "EscaleHTTP", "EscaleSystem",
        ]),
    tests("EscaleCryptoTests", ["EscaleCore", "EscaleCrypto"]),
    tests("EscaleHTTPTests", ["EscaleTestExpectations", "EscaleCore", "EscaleSystem", "EscaleHTTP"]),
    tests("EscaleStoreTests", ["EscaleCore", "EscaleStore"]),
    tests("EscaleArchiveTests", ["EscaleTestSupport", "EscaleCore", "EscaleSystem", "EscaleArchive"]),
    tests("EscaleOCITests", ["EscaleCore", "EscaleOCI"]),
    tests("EscaleImagesTests", ["EscaleTestSupport", "EscaleCore", "EscaleOCI", "EscaleSystem", "EscaleArchive", "EscaleImages"]),
    tests(
        "EscaleRegistryTests",
        [
            "EscaleTestSupport", "EscaleCore", "EscaleAPI", "EscaleOCI", "EscaleSystem", "EscaleCrypto", "EscaleArchive",
            "EscaleHTTP", "EscaleImages", "EscaleRegistry",
        ]),
    tests(
        "EscaleClusterTests",
        [
            "EscaleTestExpectations", "EscaleTestSupport", "EscaleCore", "EscaleYAML", "EscaleAPI", "EscaleCompose", "EscaleRelease",
            "EscaleKubernetes", "EscaleSystem", "EscaleHTTP", "EscaleCluster",
        ]),
    tests("EscaleDaemonTests", ["EscaleCore", "EscaleAPI", "EscaleCompose", "EscaleDaemon"]),
    tests("EscaleYAMLTests", ["EscaleTestSupport", "EscaleCore", "EscaleYAML"]),
    tests(
        "EscaleKubernetesTests",
        ["EscaleTestExpectations", "EscaleTestSupport", "EscaleKubernetes", "EscaleCompose", "EscaleYAML", "EscaleCore"]),
    tests(
        "EscaleReleaseTests",
        ["EscaleTestExpectations", "EscaleTestSupport", "EscaleCore", "EscaleAPI", "EscaleCompose", "EscaleRelease"]),
    tests("EscalePlanTests", ["EscaleTestSupport", "EscaleCore", "EscaleCompose", "EscalePlan"]),
    tests(
        "EscaleSupervisorTests",
        [
            "EscaleTestSupport", "EscaleCore", "EscaleAPI", "EscaleCompose", "EscaleOCI", "EscaleSystem", "EscaleNetlink",
            "EscaleImages", "EscaleNetwork", "EscaleGateway", "EscaleEngine", "EscaleSupervisor",
        ]),
    tests("EscaleRuntimeSpecTests", ["EscaleTestExpectations", "EscaleCore", "EscaleOCI", "EscaleSystem", "EscaleEngine"]),
    tests("EscaleSystemTests", ["EscaleTestSupport", "EscaleCore", "EscaleSystem"]),
    tests("EscaleEngineTests", ["EscaleTestSupport", "EscaleCore", "EscaleOCI", "EscaleSystem", "EscaleEngine"]),
    tests("LayeringTests", ["EscaleCore", "EscaleSystem"]),
    tests(
        "EscaleComposeTests",
        ["EscaleTestExpectations", "EscaleTestSupport", "EscaleFuzz", "EscaleCore", "EscaleYAML", "EscaleCompose"]),
    // Runs escale and escaled, which are built with the tests. A dependency on them would link them in, statically.
    tests("EndToEnd", ["EscaleTestSupport", "EscaleCore", "EscaleAPI", "EscaleSystem"]),
    tests("EscaleNetlinkTests", ["EscaleTestSupport", "EscaleCore", "EscaleSystem", "EscaleNetlink"]),
    tests(
        "EscaleNetworkTests",
        ["EscaleTestExpectations", "EscaleTestSupport", "EscaleCore", "EscaleSystem", "EscaleNetlink", "EscaleNetwork"]),
    tests(
        "EscaleGatewayTests",
        [
            "EscaleTestExpectations", "EscaleTestSupport", "EscaleCore", "EscaleCompose", "EscaleSystem", "EscaleNetlink",
            "EscaleGateway",
        ]),
    tests("EscaleDockerfileTests", ["EscaleCore", "EscaleDockerfile"]),
    tests(
        "EscaleBuildTests",
        ["EscaleCore", "EscaleOCI", "EscaleSystem", "EscaleArchive", "EscaleImages", "EscaleBuild"]),
]

let package = Package(
    name: "escale",
    products: [
        .executable(name: "escale", targets: ["escale"]),
        .executable(name: "escaled", targets: ["escaled"]),
    ],
    targets: cLibraries + base + model + system + platform + edge + programs + testTargets
)
