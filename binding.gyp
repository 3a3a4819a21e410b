{
  # CMake builds the addon (CMakeLists.txt). This target lets `node-gyp rebuild`, and what calls it, do so too.
  "targets": [
    {
      "target_name": "moss_speech",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_js",
          "message": "Building the addon with cmake-js",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/moss_speech.node"],
          "action": ["node", "scripts/gyp-action.mjs", "<(PRODUCT_DIR)"]
        }
      ]
    }
  ]
}
