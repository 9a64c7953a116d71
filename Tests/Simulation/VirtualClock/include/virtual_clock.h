#pragma once
#include <stdint.h>

// The clocks of a program that makes its own time. Linked into a program, this library answers every clock_gettime in it,
// that of Swift's clocks among them: as the machine does, until the first call.

/// What the clocks show from now on, in nanoseconds: the monotonic ones, and the one on the wall.
void virtual_clock_show(int64_t uptime, int64_t wall_time);

/// Has this process killed when the one that began it ends.
void end_with_parent(void);
