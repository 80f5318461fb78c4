// What the exit status of trovectl means. Scripts and CI live on these numbers: they never change. Constants only.
#pragma once

namespace trove::cli {

inline constexpr int kOk = 0;
inline constexpr int kDifferences = 1;   // diff, and plan --exit-code; never an error
inline constexpr int kUsage = 2;         // usage or validation
inline constexpr int kNotFound = 3;
inline constexpr int kAuth = 4;
inline constexpr int kInternal = 5;
inline constexpr int kConflict = 6;
inline constexpr int kTimeout = 7;
inline constexpr int kStalled = 8;       // waiting longer is useless
inline constexpr int kRefused = 9;       // policy, protection or data-safety hold
inline constexpr int kUnavailable = 10;  // server or cloud
inline constexpr int kInterrupted = 130;

}  // namespace trove::cli
