/* A disk that keeps only what was synced: preloaded into a process (LD_PRELOAD), whose memory of files would survive its
 * end otherwise.
 *
 * For the files below $POWER_CUT_FOLDER, which is empty at the beginning, $POWER_CUT_SHADOW holds what a power cut would
 * leave in the worst case that POSIX allows:
 *
 *   files/<file>     the content: what was written before an fsync or fdatasync of the file began
 *   folders/<file>   the names in a folder, from its last fsync: a line "<d or f> <file> <mode in octal> <name>" each
 *   root             the <file> of the folder itself
 *
 * <file> is the number of the inode, and how often that number was seen anew. While a file named $POWER_CUT_LIES exists,
 * syncs do nothing and say that all is well; while $POWER_CUT_FAILS exists, they fail. Each sync takes $POWER_CUT_DELAY
 * microseconds: what comes meanwhile is not part of it.
 *
 * What a program has mapped into its memory, and syscalls made past the C library, are not seen. SQLite maps only its
 * -shm file, which is made anew; names are looked at when their folder is synced, whoever made them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name)                         \
  ({                                       \
    static __typeof__(&name) found;        \
    if (!found) found = real(#name);       \
    found;                                 \
  })

static void *real(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (!found) abort();
  return found;
}

struct range { off_t from, to; };

/* A file or folder below the folder, as long as its inode's number means it. */
struct file {
  ino_t inode;
  unsigned times;
  struct range *dirty;
  size_t count, room;
  struct file *next;
};

#define BUCKETS 4096
static struct file *files[BUCKETS];
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
/* One sync at a time: one that finds nothing to write must not end before the one that writes it. */
static pthread_mutex_t syncing = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static const char *shadow, *lies, *fails;
static unsigned delay;
static dev_t device;

static void fail(const char *what) {
  dprintf(2, "power_cut: %s: %s\n", what, strerror(errno));
  abort();
}

/* The lock of the table is held. */
static struct file *find(ino_t inode, int make) {
  struct file **at = &files[inode % BUCKETS];
  while (*at && (*at)->inode != inode) at = &(*at)->next;
  if (!*at && make) {
    *at = calloc(1, sizeof **at);
    (*at)->inode = inode;
  }
  return *at;
}

static void dirty(struct file *file, off_t from, off_t to) {
  if (file->count && file->dirty[file->count - 1].to == from) {
    file->dirty[file->count - 1].to = to;
    return;
  }
  if (file->count == file->room) {
    file->room = file->room * 2 + 16;
    file->dirty = realloc(file->dirty, file->room * sizeof *file->dirty);
  }
  file->dirty[file->count++] = (struct range){from, to};
}

#define ALL ((off_t)1 << 62)

static void path_in(char *path, const char *kind, ino_t inode, unsigned times) {
  snprintf(path, PATH_MAX, "%s/%s/%lu.%u", shadow, kind, (unsigned long)inode, times);
}

/* Notes a file that was opened, with a new meaning of its number when it was made by that. */
static void opened(int fd, int made, int cut) {
  struct stat about;
  char link[64], path[PATH_MAX];
  int before = errno;
  if (!shadow || fd < 0 || fstat(fd, &about) || about.st_dev != device) goto done;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0 || strncmp(path, folder, strlen(folder))) goto done;
  pthread_mutex_lock(&table);
  struct file *file = find(about.st_ino, 1);
  if (made) {
    file->times++;
    file->count = 0;
  }
  if (cut) dirty(file, 0, ALL);
  pthread_mutex_unlock(&table);
done:
  errno = before;
}

static void made_folder(int at, const char *path) {
  struct stat about;
  int before = errno;
  if (shadow && !fstatat(at, path, &about, 0) && about.st_dev == device) {
    pthread_mutex_lock(&table);
    find(about.st_ino, 1)->times++;
    pthread_mutex_unlock(&table);
  }
  errno = before;
}

static void wrote(int fd, off_t from, off_t to) {
  struct stat about;
  int before = errno;
  if (shadow && !fstat(fd, &about) && about.st_dev == device && S_ISREG(about.st_mode)) {
    pthread_mutex_lock(&table);
    struct file *file = find(about.st_ino, 0);
    if (file) dirty(file, from, to);
    pthread_mutex_unlock(&table);
  }
  errno = before;
}

static void appended(int fd, ssize_t count) {
  int before = errno;
  off_t end = count > 0 && shadow ? lseek(fd, 0, SEEK_CUR) : -1;
  if (end >= 0) wrote(fd, end - count, end);
  errno = before;
}

/* Copies what was dirty into the shadow. */
static void keep_content(int fd, ino_t inode, unsigned times, struct range *ranges, size_t count, off_t size) {
  char path[PATH_MAX], own[64];
  static char buffer[1 << 16];
  path_in(path, "files", inode, times);
  int to = REAL(open64)(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
  int from = REAL(open64)(own, O_RDONLY | O_CLOEXEC);
  if (to < 0 || from < 0) fail(path);
  for (size_t i = 0; i < count; i++) {
    off_t at = ranges[i].from, end = ranges[i].to < size ? ranges[i].to : size;
    while (at < end) {
      size_t piece = end - at < (off_t)sizeof buffer ? (size_t)(end - at) : sizeof buffer;
      ssize_t got = pread(from, buffer, piece, at);
      if (got <= 0) break;
      if (REAL(pwrite64)(to, buffer, got, at) != got) fail(path);
      at += got;
    }
  }
  if (REAL(ftruncate64)(to, size)) fail(path);
  close(to);
  close(from);
}

static void keep_names(int fd, ino_t inode, unsigned times) {
  char path[PATH_MAX], fresh[PATH_MAX + 8];
  path_in(path, "folders", inode, times);
  snprintf(fresh, sizeof fresh, "%s.new", path);
  FILE *list = fdopen(REAL(open64)(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "w");
  int own = REAL(openat64)(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *names = own < 0 ? NULL : fdopendir(own);
  if (!list || !names) fail(path);
  for (struct dirent *name; (name = readdir(names));) {
    struct stat about;
    if (!strcmp(name->d_name, ".") || !strcmp(name->d_name, "..")) continue;
    if (fstatat(own, name->d_name, &about, AT_SYMLINK_NOFOLLOW)) continue;
    if (!S_ISDIR(about.st_mode) && !S_ISREG(about.st_mode)) continue;
    pthread_mutex_lock(&table);
    struct file *file = find(about.st_ino, 1);
    unsigned seen = file->times;
    pthread_mutex_unlock(&table);
    fprintf(list, "%c %lu.%u %o %s\n", S_ISDIR(about.st_mode) ? 'd' : 'f', (unsigned long)about.st_ino, seen,
            (unsigned)(about.st_mode & 07777), name->d_name);
  }
  closedir(names);
  if (fclose(list) || rename(fresh, path)) fail(path);
}

static int sync_of(int fd, int (*sync)(int)) {
  struct stat about;
  struct file *file = NULL;
  if (!shadow || fstat(fd, &about) || about.st_dev != device) return sync(fd);
  pthread_mutex_lock(&table);
  file = find(about.st_ino, 0);
  pthread_mutex_unlock(&table);
  if (!file) return sync(fd);
  if (lies && !access(lies, F_OK)) return 0;
  if (fails && !access(fails, F_OK)) {
    errno = EIO;
    return -1;
  }
  pthread_mutex_lock(&syncing);
  pthread_mutex_lock(&table);
  struct range *ranges = file->dirty;
  size_t count = file->count;
  unsigned times = file->times;
  file->dirty = NULL;
  file->count = file->room = 0;
  fstat(fd, &about);
  pthread_mutex_unlock(&table);
  if (S_ISDIR(about.st_mode))
    keep_names(fd, about.st_ino, times);
  usleep(delay);
  if (S_ISREG(about.st_mode)) keep_content(fd, about.st_ino, times, ranges, count, about.st_size);
  free(ranges);
  pthread_mutex_unlock(&syncing);
  return 0;
}

int fsync(int fd) { return sync_of(fd, REAL(fsync)); }
int fdatasync(int fd) { return sync_of(fd, REAL(fdatasync)); }

#define OPEN(name, parameters, at, path, call)                               \
  int name parameters {                                                      \
    mode_t mode = 0;                                                         \
    if (flags & (O_CREAT | O_TMPFILE)) {                                     \
      va_list more;                                                          \
      va_start(more, flags);                                                 \
      mode = va_arg(more, mode_t);                                           \
      va_end(more);                                                          \
    }                                                                        \
    int made = shadow && flags & O_CREAT && faccessat(at, path, F_OK, 0);    \
    int fd = call;                                                           \
    opened(fd, made, flags & O_TRUNC);                                       \
    return fd;                                                               \
  }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD, path, REAL(open)(path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD, path, REAL(open64)(path, flags, mode))
OPEN(openat, (int at, const char *path, int flags, ...), at, path, REAL(openat)(at, path, flags, mode))
OPEN(openat64, (int at, const char *path, int flags, ...), at, path, REAL(openat64)(at, path, flags, mode))

int mkdir(const char *path, mode_t mode) {
  int made = REAL(mkdir)(path, mode);
  if (!made) made_folder(AT_FDCWD, path);
  return made;
}
int mkdirat(int at, const char *path, mode_t mode) {
  int made = REAL(mkdirat)(at, path, mode);
  if (!made) made_folder(at, path);
  return made;
}

ssize_t write(int fd, const void *from, size_t count) {
  ssize_t wrote = REAL(write)(fd, from, count);
  appended(fd, wrote);
  return wrote;
}
ssize_t writev(int fd, const struct iovec *from, int count) {
  ssize_t wrote = REAL(writev)(fd, from, count);
  appended(fd, wrote);
  return wrote;
}
ssize_t pwrite(int fd, const void *from, size_t count, off_t at) {
  ssize_t done = REAL(pwrite)(fd, from, count, at);
  if (done > 0) wrote(fd, at, at + done);
  return done;
}
ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at) {
  ssize_t done = REAL(pwrite64)(fd, from, count, at);
  if (done > 0) wrote(fd, at, at + done);
  return done;
}
int ftruncate(int fd, off_t length) {
  int done = REAL(ftruncate)(fd, length);
  if (!done) wrote(fd, length, ALL);
  return done;
}
int ftruncate64(int fd, off64_t length) {
  int done = REAL(ftruncate64)(fd, length);
  if (!done) wrote(fd, length, ALL);
  return done;
}
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *to_at, size_t count, unsigned flags) {
  ssize_t done = REAL(copy_file_range)(from, at, to, to_at, count, flags);
  if (done > 0) wrote(to, 0, ALL);
  return done;
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t count) {
  ssize_t done = REAL(sendfile64)(to, from, at, count);
  if (done > 0) wrote(to, 0, ALL);
  return done;
}

__attribute__((constructor)) static void begin(void) {
  const char *given = getenv("POWER_CUT_FOLDER"), *pause = getenv("POWER_CUT_DELAY");
  struct stat about;
  char path[PATH_MAX];
  /* Processes that this one starts are not meant. */
  unsetenv("LD_PRELOAD");
  if (!given || !realpath(given, folder)) fail("POWER_CUT_FOLDER");
  if (stat(folder, &about)) fail(folder);
  device = about.st_dev;
  find(about.st_ino, 1);
  lies = getenv("POWER_CUT_LIES");
  fails = getenv("POWER_CUT_FAILS");
  delay = pause ? (unsigned)atoi(pause) : 0;
  shadow = getenv("POWER_CUT_SHADOW");
  snprintf(path, sizeof path, "%s/files", shadow);
  if (REAL(mkdir)(path, 0700)) fail(path);
  snprintf(path, sizeof path, "%s/folders", shadow);
  if (REAL(mkdir)(path, 0700)) fail(path);
  snprintf(path, sizeof path, "%s/root", shadow);
  FILE *root = fopen(path, "w");
  if (!root) fail(path);
  fprintf(root, "%lu.0", (unsigned long)about.st_ino);
  fclose(root);
}
