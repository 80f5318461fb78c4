#include "cli/context.hpp"

#include "cli/api.hpp"
#include "cli/output/style.hpp"
#include "specs/problem.hpp"

namespace trove::cli {

void Interrupt::raise() {
  std::function<void()> action;
  {
    std::lock_guard lock(mutex_);
    raised_ = true;
    action = action_;
  }
  changed_.notify_all();
  if (action) action();
}
bool Interrupt::raised() const {
  std::lock_guard lock(mutex_);
  return raised_;
}
bool Interrupt::wait(Millis most) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, most, [&] { return raised_; });
}
void Interrupt::on_raise(std::function<void()> action) {
  std::lock_guard lock(mutex_);
  action_ = std::move(action);
}

Context::Context(std::ostream& o, std::ostream& e, std::istream& i, const Clock& c, Interrupt& n,
                 std::function<std::string(const std::string&)> environment)
    : out(o), err(e), in(i), clock(c), interrupt(n), env(std::move(environment)) {}
Context::~Context() = default;

Try<const Settings*> Context::settings() {
  if (!settings_) {
    auto loaded = load_settings(env, {args.get("server"), args.get("token-file"), args.get("project")});
    if (!loaded) return tl::unexpected(loaded.error());
    settings_ = std::make_unique<Settings>(std::move(*loaded));
  }
  return settings_.get();
}

Try<Api*> Context::api() {
  if (!api_) {
    auto where = settings();
    if (!where) return tl::unexpected(where.error());
    auto made = Api::connect(**where);
    if (!made) return tl::unexpected(made.error());
    api_ = std::move(*made);
  }
  return api_.get();
}

std::string Context::project() {
  auto where = settings();
  return where ? (*where)->project.value : "default";
}

Try<Millis> Context::timeout(Millis fallback) const {
  if (!args.has("timeout")) return fallback;
  auto parsed = parse_duration(args.get("timeout"));
  if (!parsed) {
    return usage_error("--timeout: \"" + printable(args.get("timeout")) + "\" is not a duration",
                       "write 30s, 15m or 2h");
  }
  return *parsed;
}

bool Context::colour(bool tty) const { return tty && env("NO_COLOR").empty() && env("TERM") != "dumb"; }

int print_failure(Context& context, const Failure& failure) {
  if (failure.message.empty()) return failure.exit;
  Style style(context.colour(context.err_tty));
  const char* word = failure.exit == kConflict ? "conflict:" : failure.exit == kRefused ? "refused:" : "error:";
  std::string line = failure.message;
  // "object: field: message" unless the message names the place already.
  if (!failure.path.empty() && line.find(failure.path) == std::string::npos) line = failure.path + ": " + line;
  context.err << style.bad(word) << ' ' << line;
  if (!failure.code.empty()) {
    context.err << "  [" << failure.code;
    if (!failure.actor.empty()) context.err << ", actor: " << failure.actor;
    context.err << ']';
  }
  context.err << '\n';
  if (!failure.hint.empty()) context.err << "       " << failure.hint << '\n';
  context.err.flush();
  return failure.exit;
}

void warn(Context& context, const std::string& message) {
  Style style(context.colour(context.err_tty));
  context.err << style.doubtful("warning:") << ' ' << message << '\n';
}

}  // namespace trove::cli
