package import EscaleCore
import Glibc

extension Files {
    /// What a tree takes on the disk, following no link; what vanishes or can't be read meanwhile isn't counted.
    ///
    /// Trees may be anybody's: paths of any length are fine, and files with several names count once each.
    package static func usage(_ path: String) -> ByteCount {
        var info = stat()
        guard lstat(path, &info) == 0 else { return ByteCount(0) }
        let own = Int64(info.st_blocks) * 512
        guard info.st_mode & S_IFMT == S_IFDIR else { return ByteCount(own) }
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        return ByteCount(own + usage(ofEntriesIn: directory))
    }

    /// Closes the directory.
    private static func usage(ofEntriesIn directory: Int32) -> Int64 {
        guard directory >= 0 else { return 0 }
        guard let stream = fdopendir(directory) else {
            close(directory)
            return 0
        }
        defer { closedir(stream) }
        var sum: Int64 = 0
        while let entry = readdir(stream) {
            withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { name in
                    if name[0] == 46 && (name[1] == 0 || (name[1] == 46 && name[2] == 0)) { return }
                    var info = stat()
                    guard fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0 else { return }
                    sum += Int64(info.st_blocks) * 512
                    guard info.st_mode & S_IFMT == S_IFDIR else { return }
                    sum += usage(ofEntriesIn: openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
                }
            }
        }
        return sum
    }
}
