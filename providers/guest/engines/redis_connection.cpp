#include <hiredis/hiredis.h>
#include "providers/guest/engines/redis.hpp"

namespace trove::guest::redis {

namespace {

constexpr timeval kConnectTime{5, 0};
constexpr timeval kAnswerTime{30, 0};
constexpr int kMostDepth = 8;

void flatten(const redisReply& reply, std::vector<std::string>& out, int depth) {
  switch (reply.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS: out.emplace_back(reply.str, reply.len); break;
    case REDIS_REPLY_INTEGER: out.push_back(std::to_string(reply.integer)); break;
    case REDIS_REPLY_ARRAY:
      for (size_t i = 0; i < reply.elements && depth < kMostDepth; ++i) flatten(*reply.element[i], out, depth + 1);
      break;
    default: out.emplace_back();
  }
}

}  // namespace

struct Connection::Handle {
  redisContext* context = nullptr;
  ~Handle() {
    if (context) redisFree(context);
  }
};

Connection::Connection(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::open(const std::string& socket, const std::string& user,
                                                     const std::string& password) {
  auto handle = std::make_unique<Handle>();
  handle->context = redisConnectUnixWithTimeout(socket.c_str(), kConnectTime);
  if (!handle->context || handle->context->err) {
    return fail(Code::unavailable, handle->context ? handle->context->errstr : "no memory for a connection");
  }
  redisSetTimeout(handle->context, kAnswerTime);
  std::unique_ptr<Connection> connection(new Connection(std::move(handle)));
  auto known = connection->command({"AUTH", user, password});
  if (!known && known.error().code == Code::invalid) {
    return fail(Code::denied, "Redis does not know the agent's user");   // its own words would quote nothing useful
  }
  // Answers with LOADING, which is unavailable here, until the data are in memory.
  if (known) known = connection->command({"PING"});
  if (!known) return tl::unexpected<Error>(known.error());
  return connection;
}

Result<std::vector<std::string>> Connection::command(const std::vector<std::string>& words) {
  std::vector<const char*> texts;
  std::vector<size_t> lengths;
  for (const auto& word : words) {
    texts.push_back(word.data());
    lengths.push_back(word.size());
  }
  auto* reply = static_cast<redisReply*>(
      redisCommandArgv(handle_->context, static_cast<int>(texts.size()), texts.data(), lengths.data()));
  if (!reply) return fail(Code::unavailable, handle_->context->errstr);
  struct Free {
    redisReply* reply;
    ~Free() { freeReplyObject(reply); }
  } guard{reply};
  if (reply->type == REDIS_REPLY_ERROR) {
    std::string text(reply->str, reply->len);
    const bool passing =
        text.rfind("LOADING", 0) == 0 || text.rfind("BUSY ", 0) == 0 || text.rfind("MASTERDOWN", 0) == 0;
    if (text.rfind("ERR ", 0) == 0) text = text.substr(4);
    return fail(passing ? Code::unavailable : Code::invalid, text);
  }
  std::vector<std::string> out;
  flatten(*reply, out, 0);
  return out;
}

}  // namespace trove::guest::redis
