#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/names.hpp"
#include "cli/output/data.hpp"
#include "specs/problem.hpp"

namespace trove::cli {

Try<int> run_secret_reveal(Context& context) {
  auto output = output_of(context, {Format::json, Format::yaml});
  if (!output) return tl::unexpected(output.error());
  if (context.args.words.empty()) return usage_error("which secret?", "what there is: trovectl get secrets");
  if (context.args.words.size() > 1) return usage_error("one secret at a time, please");
  std::string name = context.args.words[0];
  if (size_t slash = name.find('/'); slash != std::string::npos) {   // secret/x, as get -o name prints it
    auto target = parse_target({name});
    if (!target) return tl::unexpected(target.error());
    if (target->kind->name != "Secret") return usage_error(to_string(*target) + " is not a secret");
    name = target->name;
  }
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  auto answer = (*api)->reveal(name);
  if (!answer) {
    Failure failure = answer.error();
    if (failure.exit == kNotFound) {
      failure.message = "secret/" + printable(name) + " not found in project " + (*api)->project();
      if (failure.hint.empty()) failure.hint = "what there is: trovectl get secrets";
    }
    return tl::unexpected(failure);
  }
  const Value& data = (*answer)["data"];
  if (std::string key = context.args.get("key"); !key.empty()) {
    const Value* value = data.find(key);
    if (!value) {
      std::string keys;
      for (const auto& member : data.members()) keys += (keys.empty() ? "" : ", ") + printable(member.key, 60);
      return failed(kNotFound, "secret/" + printable(name) + " has no key \"" + printable(key, 60) + "\"",
                    "keys: " + keys);
    }
    context.out << value->text() << '\n';   // as it is: this is for programs
    return kOk;
  }
  if (!output->is_table()) {
    print_value(context, *output, data);
    return kOk;
  }
  for (const auto& member : data.members()) {
    context.out << printable(member.key, 300) << ": "
                << (context.out_tty ? printable(member.value.text(), 65536) : member.value.text()) << '\n';
  }
  return kOk;
}

}  // namespace trove::cli
