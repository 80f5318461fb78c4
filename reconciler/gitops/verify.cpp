// Who signed a commit: OpenSSH's and GnuPG's own programs decide, with the keys of one Secret and no others.
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "reconciler/gitops/repository.hpp"
#include "specs/problem.hpp"

namespace trove::gitops {
namespace {

constexpr std::string_view kArmor = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

bool is_key_type(const std::string& word) {
  return word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-ssh-") ||
         word.starts_with("sk-ecdsa-");
}

// A public key alone is trusted under the name that it has in the Secret.
std::string signers_of(const std::string& name, const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first.empty() || first.front() == '#') continue;
    out += (is_key_type(first) ? name + " " : "") + line + "\n";
  }
  return out;
}

std::string field(std::string_view& text) {
  const size_t end = std::min(text.find('\0'), text.size());
  std::string out(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return out;
}

}  // namespace

Result<Signature> Repository::verify(const std::string& commit, const std::map<std::string, Secret>& keys) {
  const std::string place = directory_ + "/keys";
  std::error_code error;
  std::filesystem::remove_all(place, error);
  std::filesystem::create_directories(place + "/gpg", error);
  std::filesystem::permissions(place + "/gpg", std::filesystem::perms::owner_all, error);
  std::string signers, armor;
  for (const auto& [name, value] : keys) {
    if (value.reveal().find(kArmor) != std::string::npos)
      armor += value.reveal() + "\n";
    else
      signers += signers_of(name, value.reveal());
  }
  if (signers.empty() && armor.empty())
    return fail(Code::invalid, "the Secret that verify.keysRef names holds no key",
                "put SSH public keys or armored OpenPGP public keys into it");
  std::ofstream(place + "/signers") << signers;
  // All keys that we were given are trusted, and none is looked for anywhere else.
  std::ofstream(place + "/gpg/gpg.conf") << "batch\nno-tty\ntrust-model always\nno-auto-key-retrieve\nno-autostart\n";
  const auto sweep = [&] { std::filesystem::remove_all(place, error); };
  if (!armor.empty()) {
    ProcessOrder import = order({}, setting_.limits.local);
    import.argv = {"gpg", "--homedir", place + "/gpg", "--import"};
    import.input = armor;
    auto ran = run_process(import, clock_, cancel_);
    if (!ran || ran->code != 0) {
      sweep();
      if (!ran) return tl::unexpected(ran.error());
      return fail(Code::invalid, "gpg does not take the keys of verify.keysRef: " + printable(ran->err, 200));
    }
  }
  ProcessOrder show = order({"-c", "gpg.ssh.allowedSignersFile=" + place + "/signers", "show", "-s", "--no-notes",
                             "--format=%G?%x00%GS%x00%GK%x00%GG%x00", "--end-of-options", commit},
                            setting_.limits.local);
  show.environment.push_back("GNUPGHOME=" + place + "/gpg");
  auto ran = run_process(show, clock_, cancel_);
  sweep();
  if (!ran) return tl::unexpected(ran.error());
  if (ran->code != 0) return fail(Code::unavailable, "git show failed: " + printable(ran->err, 200));
  std::string_view text = ran->out;
  const std::string verdict = field(text), signer = field(text), key = field(text), words = field(text);
  Signature out;
  out.good = verdict == "G";
  const std::string by = key.empty() ? std::string("an unknown key") : "the key " + printable(key, 80);
  if (out.good) {
    out.by = printable(signer.empty() ? "?" : signer, 120) + " (" + printable(key, 80) + ")";
    return out;
  }
  struct Row {
    char verdict;
    const char* message;
  };
  static constexpr std::array kRows = {Row{'N', "is not signed"},
                                       Row{'B', "has a signature that does not fit it"},
                                       Row{'X', "has a signature that has expired"},
                                       Row{'Y', "is signed by a key that has expired"},
                                       Row{'R', "is signed by a key that was revoked"}};
  out.message = "is signed by " + by + ", which is not among the trusted keys";
  for (const Row& row : kRows)
    if (verdict.size() == 1 && verdict[0] == row.verdict) out.message = row.message;
  // A signature of a kind whose keys were not given cannot be checked at all.
  if (verdict == "N" && words.find("ignature") != std::string::npos) out.message = "has a signature that cannot be checked";
  return out;
}

}  // namespace trove::gitops
