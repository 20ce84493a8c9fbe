# Runs RUNNER on FILES; its exit code must be CODE and its output must match OUTPUT.
execute_process(COMMAND ${RUNNER} ${FILES} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
if(NOT code EQUAL CODE OR NOT text MATCHES "${OUTPUT}")
    message(FATAL_ERROR "exit code ${code} in place of ${CODE}, or this does not match ${OUTPUT}:\n${text}")
endif()
