#include "providers/guest/agent/transfer.hpp"
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <unistd.h>
#include <zstd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <limits>
#include "specs/core/digest.hpp"

namespace trove::guest {

namespace {

constexpr int kLevel = 3;
constexpr size_t kReadBytes = 256u << 10;
constexpr size_t kPieceBytes = 1u << 20;

// Reads what there is; 0 at the end.
Result<size_t> read_some(int fd, char* buffer, size_t size, const Cancel& cancel) {
  for (;;) {
    pollfd p[2] = {{fd, POLLIN, 0}, {cancel.fd(), POLLIN, 0}};
    poll(p, 2, -1);
    if (cancel.is_set()) return fail(Code::unavailable, "interrupted");
    const ssize_t n = read(fd, buffer, size);
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EINTR && errno != EAGAIN)
      return fail(Code::unavailable, std::string("cannot read: ") + strerror(errno));
  }
}

Result<void> write_all(int fd, std::string_view bytes, const Cancel& cancel) {
  while (!bytes.empty()) {
    pollfd p[2] = {{fd, POLLOUT, 0}, {cancel.fd(), POLLIN, 0}};
    poll(p, 2, -1);
    if (cancel.is_set()) return fail(Code::unavailable, "interrupted");
    const ssize_t n = write(fd, bytes.data(), bytes.size());   // pipes to tools do not block
    if (n >= 0) bytes.remove_prefix(static_cast<size_t>(n));
    else if (errno != EINTR && errno != EAGAIN) {
      return fail(errno == ENOSPC ? Code::no_space : Code::unavailable,
                  std::string("cannot write: ") + strerror(errno));
    }
  }
  return {};
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};
Sha256::Sha256() : state_(std::make_unique<State>()) { EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr); }
Sha256::~Sha256() = default;
void Sha256::add(std::string_view bytes) { EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()); }
std::string Sha256::hex() {
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(state_->context, raw, &size);
  return to_hex(std::string_view(reinterpret_cast<const char*>(raw), size));
}

struct Compressor::Zstd {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  std::string input, output;
  ~Zstd() { ZSTD_freeCCtx(context); }
};

Compressor::Compressor(BackupSource& source, const Cancel& cancel)
    : source_(source), cancel_(cancel), zstd_(std::make_unique<Zstd>()) {
  ZSTD_CCtx_setParameter(zstd_->context, ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(zstd_->context, ZSTD_c_checksumFlag, 1);
  zstd_->input.resize(kReadBytes);
}
Compressor::~Compressor() = default;

Result<std::string> Compressor::next() {
  std::string piece;
  if (source_.begin) {
    auto begun = source_.begin(cancel_);
    if (!begun) return tl::unexpected<Error>(begun.error());
    source_.fd = std::move(*begun);
    source_.begin = nullptr;
  }
  while (!ended_ && piece.size() < kPieceBytes) {
    auto got = read_some(source_.fd.get(), zstd_->input.data(), zstd_->input.size(), cancel_);
    if (!got) return tl::unexpected<Error>(got.error());
    if (*got == 0) {
      // A tool that failed may still have ended its output: ask before the last bytes go out.
      if (source_.finish) {
        if (auto fine = source_.finish(cancel_); !fine) return tl::unexpected<Error>(fine.error());
      }
      ended_ = true;
    }
    ZSTD_inBuffer in{zstd_->input.data(), *got, 0};
    const ZSTD_EndDirective how = ended_ ? ZSTD_e_end : ZSTD_e_continue;
    zstd_->output.resize(ZSTD_CStreamOutSize());
    for (size_t left = 1; in.pos < in.size || (ended_ && left > 0);) {
      ZSTD_outBuffer out{zstd_->output.data(), zstd_->output.size(), 0};
      left = ZSTD_compressStream2(zstd_->context, &out, &in, how);
      if (ZSTD_isError(left)) return fail(Code::internal, std::string("zstd: ") + ZSTD_getErrorName(left));
      piece.append(zstd_->output.data(), out.pos);
    }
  }
  hash_.add(piece);
  bytes_ += static_cast<int64_t>(piece.size());
  return piece;
}

Result<int> upload_from(Compressor& compressor, const BackupOrder& order, Plane& plane) {
  const bool cuts = order.segment_bytes > 0 && !order.segments_url.empty();
  std::string piece;
  size_t at = 0;              // what of it is sent
  bool ended = false;
  for (int number = 0;; ++number) {
    int64_t room = cuts ? order.segment_bytes : std::numeric_limits<int64_t>::max();
    Result<void> trouble;     // ours explains more than the upload's "body was abandoned"
    const auto sent = plane.upload(number == 0 ? order.upload_url : segment_url(order.segments_url, number),
                                   [&]() -> Result<std::string> {
      // A segment that is full still looks ahead: whether another one begins has to be known at its end.
      if (at == piece.size() && !ended) {
        auto read = compressor.next();
        if (!read) {
          trouble = tl::unexpected<Error>(read.error());
          return read;
        }
        piece = std::move(*read);
        at = 0;
        ended = piece.empty();
      }
      std::string out = piece.substr(at, static_cast<size_t>(std::min<int64_t>(room, std::ssize(piece))));
      at += out.size();
      room -= std::ssize(out);
      return out;
    });
    if (!trouble) return tl::unexpected<Error>(trouble.error());
    const std::string what = number > 0 ? "segment " + std::to_string(number + 1) + ": " : "";
    if (!sent) {
      Error error = sent.error();
      error.message = what + error.message;
      return tl::unexpected<Error>(std::move(error));
    }
    if (ended) return number + 1;
    if (room > 0) return fail(Code::unavailable, what + "the object store took only a part of it");
    if (number + 1 == kMostSegments) {
      return fail(Code::too_large, "the backup has more than " + std::to_string(kMostSegments) + " segments of " +
                                       std::to_string(order.segment_bytes) +
                                       " bytes: raise --backup-segment-size of troved");
    }
  }
}

Result<void> download_to(const std::string& file, const RestoreOrder& order, Plane& plane, const Cancel& cancel) {
  UniqueFd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail(Code::unavailable, "cannot make " + file + ": " + strerror(errno));
  Sha256 hash;
  Result<void> written;
  for (int number = 0; number < order.segments; ++number) {
    const auto answered = plane.download(number == 0 ? order.download_url : segment_url(order.segments_url, number),
                                         [&](std::string_view bytes) {
      hash.add(bytes);
      written = write_all(fd.get(), bytes, cancel);
      return written.has_value();
    });
    if (!written) return written;
    if (!answered) {
      Error error = answered.error();
      if (order.segments > 1)
        error.message = "segment " + std::to_string(number + 1) + " of " + std::to_string(order.segments) + ": " +
                        error.message;
      return tl::unexpected<Error>(std::move(error));
    }
  }
  const std::string got = hash.hex();
  if (!same_bytes(got, order.sha256)) {
    unlink(file.c_str());
    return fail(Code::corrupt, "the stored backup has the checksum " + got + ", expected was " + order.sha256);
  }
  return {};
}

Result<void> decompress_to(const std::string& file, int out, const Cancel& cancel) {
  UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(Code::unavailable, "cannot read " + file + ": " + strerror(errno));
  struct Context {
    ZSTD_DCtx* context = ZSTD_createDCtx();
    ~Context() { ZSTD_freeDCtx(context); }
  } zstd;
  std::string input(kReadBytes, '\0'), output(ZSTD_DStreamOutSize(), '\0');
  size_t left = 1;
  for (;;) {
    auto got = read_some(fd.get(), input.data(), input.size(), cancel);
    if (!got) return tl::unexpected<Error>(got.error());
    if (*got == 0) break;
    ZSTD_inBuffer in{input.data(), *got, 0};
    // A full output buffer may hide more: go on until there is room to spare.
    for (bool full = true; in.pos < in.size || full;) {
      ZSTD_outBuffer buffer{output.data(), output.size(), 0};
      left = ZSTD_decompressStream(zstd.context, &buffer, &in);
      if (ZSTD_isError(left))
        return fail(Code::corrupt, std::string("the backup cannot be unpacked: ") + ZSTD_getErrorName(left));
      full = buffer.pos == buffer.size && left != 0;   // asking on after a frame's end would begin another
      if (auto done = write_all(out, std::string_view(output.data(), buffer.pos), cancel); !done) return done;
    }
  }
  if (left != 0) return fail(Code::corrupt, "the backup ends too early");
  return {};
}

}  // namespace trove::guest
