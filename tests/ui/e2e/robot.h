// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QImage>
#include <QPoint>
#include <QRect>
#include <QString>

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

struct xcb_connection_t;
struct xcb_screen_t;

namespace bitloom::ui {

/// Hands and eyes at an X server, on a connection of its own: mouse and keys through the XTEST
/// extension, which a program cannot tell from real ones, and what is really on the screen. Made
/// and used by one thread; throws Failure.
class Robot {
public:
    Robot();
    ~Robot();
    Robot(const Robot&) = delete;
    Robot& operator=(const Robot&) = delete;

    void moveTo(QPoint point); ///< of the screen
    void press(int button = 1);
    void release(int button = 1);
    void click(QPoint point, int button = 1);
    /// From where the pointer is, `steps` moves at the pace of a hand.
    void glide(QPoint to, int steps, const std::function<void(int step)>& after = {});

    /// "Ctrl+Shift+P", "Esc", "Return", "]": pressed and released.
    void key(const QString& chord);
    void hold(const QString& key, bool down);
    void type(const QString& ascii);

    QPoint at() const { return m_at; }
    QImage look(QRect area);

    /// A mapped window whose title contains this; 0 if there is none.
    uint32_t windowTitled(const QString& part);
    /// What a window manager sends when its close button is pressed.
    void closeWindow(uint32_t window);
    bool hasWindowManager();
    /// Without a window manager nobody gives the keyboard to a window that appears: this does.
    void focusTopWindow();

private:
    struct Key {
        uint8_t code = 0;
        bool shift = false;
    };
    void fake(uint8_t type, uint8_t detail, int x = 0, int y = 0);
    void sync();
    Key keyOf(uint32_t symbol) const;
    uint32_t atom(const char* name);
    std::vector<uint32_t> topLevels(); ///< of clients, bottom to top
    QString titleOf(uint32_t window);

    xcb_connection_t* m_connection = nullptr;
    xcb_screen_t* m_screen = nullptr;
    std::map<uint32_t, Key> m_keys; ///< by symbol
    QPoint m_at;
};

} // namespace bitloom::ui
