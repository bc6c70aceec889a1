#!/usr/bin/env bash

set -ex

cmake -E make_directory buildconda
cd buildconda

cmake_config_args=(
    -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_INSTALL_PREFIX="$PREFIX"
    -DPYTHON_EXECUTABLE="$PYTHON"
    -DLIB_SUFFIX=""
    -DENABLE_TORCH=OFF
    -DENABLE_ONNX=OFF
    -DENABLE_TESTING=ON
)

# shellcheck disable=SC2086  # CMAKE_ARGS has several words
cmake ${CMAKE_ARGS:-} -G "Ninja" .. "${cmake_config_args[@]}"
cmake --build . --config Release -- -j"${CPU_COUNT:-2}"
cmake --build . --config Release --target install

if [[ "${CONDA_BUILD_CROSS_COMPILATION:-}" != "1" || "${CROSSCOMPILING_EMULATOR:-}" != "" ]]; then
    # The others take an hour and need PyTorch.
    ctest --build-config Release --output-on-failure --timeout 600 -j"${CPU_COUNT:-2}" -R '^core_'
fi
