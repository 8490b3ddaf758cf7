/* A machine whose wall clock and disk a test controls: preloaded into a process (LD_PRELOAD).
 *
 * $CHAOS_CONTROL is a file of two numbers of eight bytes, read at each call, so that they can be changed while the
 * process runs:
 *
 *   0   how far the wall clock is ahead, in nanoseconds; monotonic clocks are not changed
 *   8   how long each fsync and fdatasync takes longer, in microseconds
 *
 * Syscalls made past the C library are not seen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t none[2];
static volatile int64_t *control = none;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("CHAOS_CONTROL");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
  if (mapped != MAP_FAILED) control = mapped;
  close(file);
}

#define REAL(name)                                              \
  ({                                                            \
    static __typeof__(&name) found;                             \
    if (!found) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
    found;                                                      \
  })

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = REAL(clock_gettime)(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) && control[0]) {
    int64_t nanoseconds = now->tv_nsec + control[0] % 1000000000;
    now->tv_sec += control[0] / 1000000000;
    if (nanoseconds < 0) nanoseconds += 1000000000, now->tv_sec--;
    if (nanoseconds >= 1000000000) nanoseconds -= 1000000000, now->tv_sec++;
    now->tv_nsec = nanoseconds;
  }
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  int result = clock_gettime(CLOCK_REALTIME, &precise);
  (void)zone;
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return result;
}

time_t time(time_t *told) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (told) *told = now.tv_sec;
  return now.tv_sec;
}

static void linger(void) {
  if (control[1] > 0) usleep((useconds_t)control[1]);
}

int fsync(int file) {
  linger();
  return REAL(fsync)(file);
}

int fdatasync(int file) {
  linger();
  return REAL(fdatasync)(file);
}
