# As a subproject alphabar prints nothing and adds nothing to its parent's cache but its own ALPHABAR_ options.
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${BINARY} -DALPHABAR_SOURCE=${ALPHABAR_SOURCE}
                        -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
                OUTPUT_VARIABLE printed ERROR_VARIABLE complained RESULT_VARIABLE status)
if(NOT status EQUAL 0 OR NOT complained STREQUAL "" OR printed MATCHES "alphabar")
    message(FATAL_ERROR "status ${status}\n${printed}\n${complained}")
endif()
file(STRINGS ${BINARY}/CMakeCache.txt entries REGEX "^[A-Za-z]")
foreach(entry IN LISTS entries)
    if(NOT entry MATCHES "^(CMAKE_|ALPHABAR_|consumer_|alphabar_)")
        message(FATAL_ERROR "alphabar leaves a cache entry: ${entry}")
    endif()
endforeach()
