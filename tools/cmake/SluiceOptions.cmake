# Compiler settings shared by every room.
option(SLUICE_TESTS "Build the tests" ON)
option(SLUICE_ALL_TESTS "Also the tests that only `tools/check --all` runs" ON)
option(SLUICE_PURE_ONLY "Build only the rooms without I/O (core, domain, codec, raft, partition, simulation)" OFF)
option(SLUICE_UNITY "Compile a room's files several at a time: half the time from nothing, more after a small change" ON)
set(SLUICE_SANITIZE "" CACHE STRING "Sanitizers to build with, e.g. address,undefined")
option(SLUICE_PLANTED_BUGS "Compile in the faults that prove the simulators' checkers (never for a node that sells)" OFF)
option(SLUICE_TIDY "Run clang-tidy with the build" OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
# -O2 in both; asserts of ours (SLUICE_ASSERT) stay on in every build.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g")
if(SLUICE_SANITIZE)
  set(CMAKE_CXX_FLAGS_DEBUG "-Og -g1") # reports need lines, not variables; a third less to compile
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Paths relative to the source tree and no time stamps: build folders share results, precompiled headers included.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
endif()

add_library(sluice_flags INTERFACE)
target_compile_options(sluice_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wunused -Werror
  -fno-omit-frame-pointer -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # A local named like a type (reply, slot) is fine; one local hiding another is not.
  target_compile_options(sluice_flags INTERFACE -Wduplicated-cond -Wlogical-op -Wshadow=local
    -Wno-restrict -Wno-stringop-overread -Wno-array-bounds) # false alarms of g++ 12 on std::string (GCC bugs 105329, 105651)
  # ccache keeps hitting with precompiled headers only if they do not carry time stamps.
  set(CMAKE_PCH_INSTANTIATE_TEMPLATES OFF)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(sluice_flags INTERFACE -Wshadow)
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()
if(SLUICE_SANITIZE)
  add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SLUICE_SANITIZE})
else()
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-clash-protection -fcf-protection)
  endif()
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_link_options(-pie -Wl,-z,relro,-z,now)
endif()
if(SLUICE_PLANTED_BUGS)
  add_compile_definitions(SLUICE_PLANTED_BUGS)
endif()
if(SLUICE_TIDY)
  find_program(CLANG_TIDY_PROGRAM clang-tidy REQUIRED)
endif()

# What nearly every file reads: half the time of compiling a small one.
set(SLUICE_STANDARD_HEADERS <algorithm> <chrono> <functional> <map> <memory> <optional> <set> <string> <variant> <vector>)

# sluice_room(name SOURCES ... LINKS ... [PRIVATE_LINKS ...] [PCH ...] [APART]): one room, one static library. APART: its files
# use the same names for different things, and are never compiled together.
function(sluice_room name)
  cmake_parse_arguments(ROOM "APART" "" "SOURCES;LINKS;PRIVATE_LINKS;PCH" ${ARGN})
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_include_directories(${name} PUBLIC "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PUBLIC ${ROOM_LINKS} PRIVATE sluice_flags ${ROOM_PRIVATE_LINKS})
  list(LENGTH ROOM_SOURCES size)
  if(ROOM_PCH)
    target_precompile_headers(${name} PRIVATE ${ROOM_PCH})
  elseif(size GREATER 4)
    target_precompile_headers(${name} PRIVATE ${SLUICE_STANDARD_HEADERS})
  endif()
  if(SLUICE_UNITY AND NOT ROOM_APART AND size GREATER 4)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 5)
  endif()
  if(SLUICE_TIDY)
    set_target_properties(${name} PROPERTIES CXX_CLANG_TIDY "${CLANG_TIDY_PROGRAM};--quiet")
  endif()
endfunction()

# sluice_program(name SOURCES ... LINKS ...): an executable in build/bin.
function(sluice_program name)
  cmake_parse_arguments(PROGRAM "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${PROGRAM_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${PROGRAM_LINKS} sluice_flags)
endfunction()
