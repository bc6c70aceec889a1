# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later

# The core as a library of its own, csifeedback::core of the package csifeedback-core.
include(CMakePackageConfigHelpers)
set(libraries Volk::volk PkgConfig::FFTW3F Threads::Threads fftw3f_threads ${CMAKE_DL_LIBS})
if(BUILD_SHARED_LIBS)
    add_library(csifeedback-core-library SHARED $<TARGET_OBJECTS:csifeedback-core>)
else()
    # Codecs register themselves, and of an archive a linker takes only the members that
    # something refers to: so there is one.
    set(member ${CMAKE_CURRENT_BINARY_DIR}/csifeedback_core.o)
    add_custom_command(OUTPUT ${member}
        COMMAND ${CMAKE_CXX_COMPILER} -r -nostdlib -o ${member} $<TARGET_OBJECTS:csifeedback-core>
        DEPENDS $<TARGET_OBJECTS:csifeedback-core>
        COMMAND_EXPAND_LISTS VERBATIM)
    add_library(csifeedback-core-library STATIC ${member})
    # Without this, make looks for rules of the object files here.
    add_dependencies(csifeedback-core-library csifeedback-core)
    set_source_files_properties(${member} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    set_target_properties(csifeedback-core-library PROPERTIES LINKER_LANGUAGE CXX)
endif()
set_target_properties(csifeedback-core-library PROPERTIES
    OUTPUT_NAME csifeedback-core
    EXPORT_NAME core
    VERSION ${VERSION_MAJOR}.${VERSION_API}.${VERSION_ABI}.${VERSION_PATCH}
    SOVERSION ${VERSION_MAJOR}.${VERSION_API}.${VERSION_ABI})
# Its headers need nothing but the standard library.
target_compile_features(csifeedback-core-library INTERFACE cxx_std_17)
target_include_directories(csifeedback-core-library
    INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(csifeedback-core-library PRIVATE ${libraries})

set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/csifeedback-core)
install(TARGETS csifeedback-core-library EXPORT csifeedback-core-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT csifeedback-core-targets NAMESPACE csifeedback:: DESTINATION ${package_directory})
set(models_directory ${GR_PKG_DATA_DIR}/models)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/csifeedback-core-config.cmake.in
    csifeedback-core-config.cmake
    INSTALL_DESTINATION ${package_directory}
    PATH_VARS models_directory)
write_basic_package_version_file(csifeedback-core-config-version.cmake
    VERSION ${VERSION_MAJOR}.${VERSION_API}.${VERSION_ABI}.${VERSION_PATCH}
    COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/csifeedback-core-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/csifeedback-core-config-version.cmake
    DESTINATION ${package_directory})
